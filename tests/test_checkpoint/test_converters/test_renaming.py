"""Renaming by a table: order, sharing, both directions, and what is refused."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.renaming import rename, reverse

import pytest
import torch

NAMES = [('token', 'a.token'), ('blocks.{n}.fc.{p}', 'a.layers.{n}.0.{p}'), ('x', 'y')]
WEIGHTS = {
    'blocks.10.fc.bias': torch.zeros(2),
    'blocks.0.fc.weight': torch.ones(2, 2),
    'token': torch.ones(1),
}


def test_both_directions_keep_the_order_and_share_the_tensors():
    renamed = rename(WEIGHTS, NAMES, '')
    assert list(renamed) == ['a.layers.10.0.bias', 'a.layers.0.0.weight', 'a.token']
    assert all(a is b for a, b in zip(renamed.values(), WEIGHTS.values(), strict=True))
    back = rename(renamed, reverse(NAMES), '')
    assert list(back) == list(WEIGHTS)
    assert all(back[key] is WEIGHTS[key] for key in WEIGHTS)


@pytest.mark.parametrize(
    'key',
    ['tokens', 'my.token', 'blocks.0.fc.gamma', 'blocks.a.fc.bias', 'blocks.0xfc.bias', ''],
)
def test_a_key_that_is_not_in_the_table(key):
    with pytest.raises(ValueError, match=rf'^1 of 4 keys are unknown: {key}\. Wanted mine\.$'):
        rename(WEIGHTS | {key: torch.ones(1)}, NAMES, 'mine')


def test_many_unknown_keys_are_counted():
    weights = {f'key_{i}': torch.ones(1) for i in range(12)}
    with pytest.raises(ValueError, match=r'12 of 12 .* key_0, .*, key_9 and 2 more\. Wanted'):
        rename(weights, NAMES, 'mine')


def test_two_keys_cannot_become_one():
    weights = {'x': torch.ones(1), 'z': torch.ones(1)}
    with pytest.raises(ValueError, match="'z' is the second key that becomes 'y'"):
        rename(weights, [*NAMES, ('z', 'y')], '')
