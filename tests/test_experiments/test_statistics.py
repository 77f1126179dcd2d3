"""Statistics over seeds agree with scipy and with tables of Student's t."""

import mmvitkd  # noqa: F401
from mmvitkd.experiments.statistics import paired_difference, summarize

import pytest
from scipy import stats

VALUES = {0: 91.2, 1: 92.5, 2: 90.7, 3: 91.9, 4: 92.0}
REFERENCE = {0: 90.1, 1: 91.9, 2: 90.8, 3: 90.6, 4: 91.5}


def test_a_summary_equals_scipys():
    values = list(VALUES.values())
    found = summarize(values)
    wanted = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.interval == pytest.approx((wanted.low, wanted.high), rel=1e-12)
    assert found.mean == pytest.approx(91.66)
    assert found.deviation == pytest.approx(stats.tstd(values))


def test_the_interval_by_hand():
    # s.d. 1, and 4.3027 is Student's t for 2 degrees of freedom in any table.
    found = summarize([1.0, 2.0, 3.0])
    assert (found.runs, found.mean, found.deviation) == (3, 2.0, 1.0)
    assert found.half == pytest.approx(4.3027 / 3**0.5, rel=1e-4)


def test_a_difference_is_paired_by_seed():
    shuffled = dict(reversed(REFERENCE.items()))
    found = paired_difference(VALUES, shuffled)
    test = stats.ttest_rel(list(VALUES.values()), list(REFERENCE.values()))
    wanted = test.confidence_interval(0.95)
    assert found.interval == pytest.approx((wanted.low, wanted.high), rel=1e-12)
    assert found.mean == pytest.approx(0.68)


def test_only_seeds_of_both_count():
    found = paired_difference({0: 3.0, 1: 5.0, 7: 100.0}, {0: 1.0, 1: 2.0, 8: -100.0})
    assert (found.runs, found.mean) == (2, 2.5)
    assert paired_difference({0: 1.0}, {1: 1.0}) is None


def test_one_run_has_no_interval():
    found = summarize([90.0])
    assert found == (1, 90.0, None, None)
    assert found.interval is None


def test_equal_runs_have_no_spread():
    assert summarize([90.0, 90.0, 90.0]) == (3, 90.0, 0.0, 0.0)


@pytest.mark.parametrize('values', [[], [1.0, float('nan')], [float('inf')]])
def test_numbers_must_be_finite(values):
    with pytest.raises(ValueError, match='values: found'):
        summarize(values)
