"""Draws of pairs of images."""

from itertools import combinations

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.pair_sampling import draw_pairs


def test_all_pairs_where_there_are_fewer():
    for wanted in (10, 11, 1000):
        assert sorted(draw_pairs(5, wanted, seed=0)) == list(combinations(range(5), 2))
    assert draw_pairs(2, 1, seed=0) == [(0, 1)]


def test_a_draw_has_each_pair_once_and_no_image_with_itself():
    pairs = draw_pairs(1000, 500, seed=0)
    assert len(set(pairs)) == 500
    assert all(0 <= i < j < 1000 for i, j in pairs)


def test_a_draw_depends_on_its_seed_alone():
    assert draw_pairs(100, 20, seed=1) == draw_pairs(100, 20, seed=1)
    assert draw_pairs(100, 20, seed=1) != draw_pairs(100, 20, seed=2)


def test_every_pair_is_as_likely():
    """Of 1,000 draws of 3 of the 6 pairs, each holds a pair with probability 1/2."""
    draws = [pair for seed in range(1000) for pair in draw_pairs(4, 3, seed)]
    counts = [draws.count(pair) for pair in combinations(range(4), 2)]
    assert sum(counts) == 3000
    assert all(abs(count - 500) < 80 for count in counts)  # 5 standard deviations
