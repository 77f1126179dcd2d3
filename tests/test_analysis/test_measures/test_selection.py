"""Measures are found by their names, and by the words for several."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.measures.selection import all_measures, select_measures
from mmvitkd.utils.errors import KeyedValueError

import pytest

MEASURES = all_measures()
LONG = ('gradient', 'cka')


def test_all_and_default():
    assert select_measures(['all'], 2) == tuple(MEASURES)
    assert select_measures(['all'], 1) == tuple(n for n in MEASURES if n != 'cka')
    assert select_measures(['default'], 2) == tuple(n for n in MEASURES if n != 'gradient')
    assert select_measures(['default'], 1) == tuple(n for n in MEASURES if n not in LONG)
    assert select_measures(['gradient', 'default'], 2) == tuple(MEASURES)
    assert 'permutation' in select_measures(['all'], 3)
    few = tuple(n for n in MEASURES if n not in ('gradient', 'permutation'))
    assert select_measures(['default'], 3) == few


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
