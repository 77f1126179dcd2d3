"""Names of measures, and the words for several."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.runner.measures import MEASURES, chosen_measures, needed

import pytest

LONG = ('gradient', 'cka')


def test_all_and_default():
    assert chosen_measures(['all'], 2) == tuple(MEASURES)
    assert chosen_measures(['all'], 1) == tuple(n for n in MEASURES if n != 'cka')
    assert chosen_measures(['default'], 2) == tuple(n for n in MEASURES if n != 'gradient')
    assert chosen_measures(['default'], 1) == tuple(n for n in MEASURES if n not in LONG)
    assert chosen_measures(['gradient', 'default'], 2) == tuple(MEASURES)
    assert 'permutation' in chosen_measures(['all'], 3)
    few = tuple(n for n in MEASURES if n not in ('gradient', 'permutation'))
    assert chosen_measures(['default'], 3) == few


def test_each_once_in_the_order_of_the_table():
    assert chosen_measures(['sep', 'svd', 'sep'], 1) == ('svd', 'sep')


def test_what_measures_need():
    assert needed(['svd', 'pca'], 'basis') and needed(['rotation'], 'basis')
    assert needed(['entropy'], 'range') and needed(['gradient'], 'gradients')
    others = ['svd', 'sep', 'permutation', 'energy', 'effective_rank', 'spectrum', 'magnitude']
    assert not any(needed(others, need) for need in ('basis', 'range', 'gradients', 'blocks'))


def test_close_names_of_an_unknown_one():
    message = (
        r"there is no 'entrpy'; did you mean entropy or energy\? Wanted some of svd, .*, all\."
    )
    with pytest.raises(ValueError, match=message):
        chosen_measures(['svd', 'entrpy'], 1)
    with pytest.raises(ValueError, match=r"there is no 'xyzzy'\. Wanted some of"):
        chosen_measures(['xyzzy'], 1)


def test_no_measure():
    with pytest.raises(ValueError, match='found none; wanted some of svd'):
        chosen_measures([], 1)


def test_cka_of_one_block():
    assert chosen_measures(['cka'], 2) == ('cka',)
    with pytest.raises(ValueError, match="'cka' compares blocks, and found only one"):
        chosen_measures(['cka'], 1)
