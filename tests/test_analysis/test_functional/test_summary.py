"""Summaries and dimensions: against numpy, and by hand."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.summary import dimension, summary_of

import numpy as np
import pytest
import torch


def test_a_summary_is_what_numpy_says():
    values = torch.randn(37, dtype=torch.float64)
    numbers = values.numpy()
    wanted = {
        'mean': numbers.mean(),
        'std': numbers.std(),
        'median': np.median(numbers),
        'q25': np.quantile(numbers, 0.25),
        'q75': np.quantile(numbers, 0.75),
        'p99': np.quantile(numbers, 0.99),
    }
    found = summary_of(values)
    assert list(found) == list(wanted)
    assert found == pytest.approx(wanted, rel=1e-12)
    assert all(type(number) is float for number in found.values())


def test_whole_numbers_are_summarised_too():
    assert summary_of(torch.tensor([1, 2, 4])) == pytest.approx(
        dict(mean=7 / 3, std=(14 / 9) ** 0.5, median=2, q25=1.5, q75=3, p99=3.96)
    )


def test_a_single_value_has_no_spread():
    assert set(summary_of(torch.tensor([3])).values()) == {0.0, 3.0}


@pytest.mark.parametrize('shape', [(0,), (2, 3), ()])
def test_what_is_not_a_row_of_values_is_refused(shape):
    with pytest.raises(ValueError, match=r'values: found shape \('):
        summary_of(torch.zeros(shape))


def test_a_dimension_by_hand():
    shares = torch.tensor([[0.5, 0.8, 0.95, 1.0], [0.9, 0.95, 0.99, 1.0]])
    assert dimension(shares.double(), 0.8).tolist() == [2, 1]
    assert dimension(shares.double(), 0.96).tolist() == [4, 3]
    assert dimension(shares.double(), 0.8).dtype == torch.int64


def test_rounding_at_the_threshold_does_not_count():
    tenths = torch.full((10,), 0.1, dtype=torch.float64).cumsum(0)
    assert tenths[7] < 0.8  # 0.7999999999999999
    assert dimension(tenths, 0.8) == 8
    assert dimension(torch.tensor([0.8 - 2e-9, 1.0], dtype=torch.float64), 0.8) == 2


def test_a_dimension_is_at_most_all_of_them():
    assert dimension(torch.tensor([0.2, 0.4]), 0.9) == 2
    assert dimension(torch.tensor([0.0, 0.0]), 0.9) == 2
