"""Measures are found by their names, and by the words for several."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.measures.selection import select_measures
from mmvitkd.utils.errors import KeyedValueError

import pytest
from shipped_measures import SHIPPED, shipped

LONG = ('gradient', 'cka')


def test_all_and_default():
    def selected(names, num_blocks):
        return shipped(select_measures(names, num_blocks))

    assert selected(['all'], 2) == tuple(SHIPPED)
    assert selected(['all'], 1) == tuple(n for n in SHIPPED if n != 'cka')
    assert selected(['default'], 2) == tuple(n for n in SHIPPED if n != 'gradient')
    assert selected(['default'], 1) == tuple(n for n in SHIPPED if n not in LONG)
    assert selected(['gradient', 'default'], 2) == tuple(SHIPPED)
    assert 'permutation' in select_measures(['all'], 3)
    few = tuple(n for n in SHIPPED if n not in ('gradient', 'permutation'))
    assert selected(['default'], 3) == few


def test_each_once_in_the_order_of_the_table():
    assert select_measures(['sep', 'svd', 'sep'], 1) == ('svd', 'sep')


def test_close_names_of_an_unknown_one():
    with pytest.raises(KeyedValueError, match="'entrpy'; did you mean entropy") as error:
        select_measures(['svd', 'entrpy'], 1)
    assert error.value.key == 'measures'
    with pytest.raises(ValueError, match="measures: there is no 'xyzzy'"):
        select_measures(['xyzzy'], 1)


def test_no_measure():
    with pytest.raises(ValueError, match='measures: found none'):
        select_measures([], 1)


def test_cka_of_one_block():
    assert select_measures(['cka'], 2) == ('cka',)
    with pytest.raises(ValueError, match="measures: 'cka' compares blocks"):
        select_measures(['cka'], 1)
