"""The settings of a command line."""

import mmvitkd  # noqa: F401
from mmvitkd.utils.config_options import read_options

import pytest


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('3', 3),
        ('[a,1e-3,True]', ['a', 1e-3, True]),
        ('[(1,2)]', [(1, 2)]),
        ('data/my=photos', 'data/my=photos'),
        ('[dict(type=LocalVisBackend)]', [dict(type='LocalVisBackend')]),
        (
            "[dict(type='A', n=-1), {'type': mmvitkd.LoadImage, 'on': true}]",
            [dict(type='A', n=-1), dict(type='mmvitkd.LoadImage', on=True)],
        ),
        ('dict(a=dict(b=[None]))', dict(a=dict(b=[None]))),
    ],
)
def test_a_value(text, value):
    assert read_options([f'key.inner={text}']) == {'key.inner': value}


def test_several_and_none():
    assert read_options(['a=1', 'b=x']) == dict(a=1, b='x')
    assert read_options(None) is None


@pytest.mark.parametrize(
    'setting', ['max_epochs', '=3', 'a=[dict(type=', 'a=[dict(f())]', 'a={b', 'a=[1,2']
)
def test_what_cannot_be_read_is_named(setting):
    with pytest.raises(ValueError, match=r'--cfg-options: .*wanted') as caught:
        read_options([setting])
    assert setting.strip('=') in str(caught.value)
