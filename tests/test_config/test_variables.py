"""Which settings of a config file are made from which of its variables."""

import mmvitkd  # noqa: F401
from mmvitkd.config.variables import places_by_variable, variables_read

import pytest


@pytest.mark.parametrize(
    ('text', 'wanted'),
    [
        ('a = 1\nb = dict(c=a)', {'a': ['b.c']}),
        ("a = 1\nb = {'c': [2, a + 1]}", {'a': ['b.c.1']}),
        ('b = dict(c=dict({{_base_.a}}, d=1))', {'a': ['b.c']}),
        ('b = [*_base_.a, 1]', {'a': ['b.0']}),
        ("b = dict(c=_base_.pop('a'))", {'a': ['b.c']}),
        ("b = '{{fileDirname}}'\nc = {{ fileBasename }}", {}),
        ('a: int = 1\nb = c = a', {'a': ['b', 'c']}),
    ],
)
def test_a_place_of_a_variable(text, wanted):
    assert places_by_variable(text) == wanted


def test_variables_are_followed():
    text = (
        'size = 28\nsteps = [dict(scale=size)]\nloader = dict(pipeline=steps)\nother = loader'
    )
    places = places_by_variable(text)
    assert 'loader.pipeline.0.scale' in places['size']
    assert 'other.pipeline.0.scale' in places['size']
    assert places['steps'] == ['loader.pipeline', 'other.pipeline']


def test_a_variable_that_is_made_from_itself_ends():
    assert places_by_variable('a = 1\na = a + 1\nb = a') == {'a': ['a', 'b']}


def test_a_variable_may_be_called_like_a_builtin():
    text = 'max = 20\ntrain_cfg = dict(max_epochs=max, val_interval=min(max, 3))'
    assert variables_read(text) == {'max'}
    assert variables_read('a = _base_.max') == {'max'} and not variables_read('a = max(1, 2)')
    assert places_by_variable(text) == {
        'max': ['train_cfg.max_epochs', 'train_cfg.val_interval']
    }


def test_what_is_read_in_functions_counts():
    assert {'a', 'c'} <= variables_read('def f():\n    return a\nb = dict(x=_base_.c)')
