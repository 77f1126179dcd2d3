"""Every key has a random stream of its own, and states survive a file."""

import random
from itertools import combinations

import mmvitkd  # noqa: F401
from mmvitkd.utils import random_state

import numpy as np
import pytest
import torch


def _draw() -> dict[str, list[float]]:
    """Some numbers of each generator; the normal ones come in pairs, one is kept back."""
    return {
        'python': [random.random(), random.gauss(0, 1)],
        'numpy': [*np.random.random(2), np.random.standard_normal()],
        'torch': [*torch.rand(3).tolist(), *torch.randn(3).tolist()],
    }


def _draw_after(seed, *args) -> dict[str, list[float]]:
    seed(*args)
    return _draw()


def test_the_same_keys_give_the_same_numbers():
    first = _draw_after(random_state.seed_everything, 3, 1)
    assert _draw_after(random_state.seed_everything, 3, 1) == first


@pytest.mark.parametrize('name', ['python', 'numpy', 'torch'])
def test_other_keys_give_other_numbers(name):
    # Also a rank's stream (seed, rank, iteration) and that of its worker 0, which MMEngine
    # and numpy's SeedSequence alone would give the same numbers.
    keys = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0,), (0, 0), (0, 0, 0, 0)]
    drawn = [_draw_after(random_state.seed_everything, *key)[name] for key in keys]
    for first, second in combinations(range(len(keys)), 2):
        assert not set(drawn[first]) & set(drawn[second]), (keys[first], keys[second])


@pytest.mark.parametrize('name', ['python', 'numpy', 'torch'])
def test_workers_differ_by_each_of_their_arguments(name):
    keys = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
    drawn = [_draw_after(random_state.seed_worker, *key)[name] for key in keys]
    assert len({tuple(numbers) for numbers in drawn}) == len(keys)


def test_large_seeds_are_fine():
    first = _draw_after(random_state.seed_everything, 2**32 - 1, 7)
    assert _draw_after(random_state.seed_everything, 2**32 - 2, 7) != first


def test_a_state_goes_through_a_file(tmp_path):
    random_state.seed_everything(0)
    _draw()
    torch.save(random_state.get_state(), tmp_path / 'state.pth')
    wanted = [_draw(), _draw()]
    random_state.seed_everything(1)
    random_state.set_state(torch.load(tmp_path / 'state.pth', weights_only=True))
    assert [_draw(), _draw()] == wanted


def test_a_state_is_a_copy():
    random_state.seed_everything(0)
    state = random_state.get_state()
    wanted = _draw()
    random_state.set_state(state)
    _draw()
    random_state.set_state(state)
    assert _draw() == wanted
