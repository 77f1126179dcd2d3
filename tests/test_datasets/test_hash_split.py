"""A split by hashes is the same everywhere."""

import hashlib
import random

import mmvitkd  # noqa: F401
from mmvitkd.datasets.hash_split import hash_split

import numpy as np
import pytest

NAMES = [f'cat/{i:03d}.jpg' for i in range(100)]


def test_the_smallest_hashes_are_drawn():
    hashes = {hashlib.sha256(b'7/' + name.encode()).hexdigest(): name for name in NAMES}
    assert hash_split(NAMES, 0.2, seed=7) == {hashes[key] for key in sorted(hashes)[:20]}


def test_known_names():
    """For i in 0..19: printf 0/cat/0$i.jpg | sha256sum; the three smallest."""
    assert hash_split(NAMES[:20], 0.15) == {'cat/013.jpg', 'cat/016.jpg', 'cat/018.jpg'}


def test_neither_order_nor_random_state_matter():
    drawn = hash_split(NAMES, 0.1)
    for seed in range(3):
        random.seed(seed)
        np.random.seed(seed)
        assert hash_split(random.sample(NAMES, 100), 0.1) == drawn
    state = np.random.get_state()[1].copy()
    hash_split(NAMES, 0.1)
    assert np.array_equal(np.random.get_state()[1], state)


def test_another_seed_is_another_draw():
    assert hash_split(NAMES, 0.1, seed=0) != hash_split(NAMES, 0.1, seed=1)


def test_new_names_change_little():
    before, after = hash_split(NAMES, 0.1), hash_split([*NAMES, 'cat/100.jpg'], 0.1)
    assert len(before & after) >= 9


@pytest.mark.parametrize(
    ('number', 'share', 'drawn'),
    [(2, 0.01, 1), (2, 0.99, 1), (9, 0.1, 1), (10, 0.25, 2), (100, 0.1, 10), (5, 0.99, 4)],
)
def test_how_many(number, share, drawn):
    assert len(hash_split(NAMES[:number], share)) == drawn


def test_names_need_not_be_valid_text():
    assert hash_split(['cat/\udcff.jpg', 'cat/a.jpg'], 0.5) < {'cat/\udcff.jpg', 'cat/a.jpg'}
