"""YAML from an unknown source: plain data of a size that a person writes."""

import mmvitkd  # noqa: F401
from mmvitkd.utils.bounded_yaml import load_yaml

import pytest
from yaml import YAMLError


def test_plain_data_with_aliases():
    text = "a: &a [1, 2.5, 'x', null]\nb: {c: *a, <<: {d: true}}"
    list_ = [1, 2.5, 'x', None]
    assert load_yaml(text) == {'a': list_, 'b': {'c': list_, 'd': True}}


@pytest.mark.parametrize(
    'text',
    [
        'a: &a [*a]',
        'a: [' + ', '.join(10_000 * 'x') + ']',
        'a: &a [' + ', '.join(200 * 'x') + ']\nb: [' + ', '.join(['*a'] * 60) + ']',
        'a: &a {x: y}\n' + 'b: &b {<<: [' + ', '.join(['*a'] * 6000) + ']}',
    ],
    ids=['itself', 'long', 'aliases', 'merges'],
)
def test_too_much_is_refused(text):
    with pytest.raises(YAMLError, match='10,000'):
        load_yaml(text)


@pytest.mark.parametrize('tag', ['python/name:os.system', 'python/tuple', 'python/module:os'])
def test_objects_are_refused(tag):
    with pytest.raises(YAMLError, match=tag):
        load_yaml(f'a: !!{tag} []')


def test_deep_nesting_is_an_error_not_a_crash():
    with pytest.raises(RecursionError):
        load_yaml('[' * 100_000)
