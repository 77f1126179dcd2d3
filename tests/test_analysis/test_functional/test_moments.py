"""Means, spreads and centred products: against two passes of numpy."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.moments import CentredProducts, CurveMoments

import numpy as np
import pytest
import torch


def test_means_and_spreads_of_curves():
    curves = torch.rand(9, 5, dtype=torch.float64) + torch.tensor([0, 1, 1e3, 1e6, 1e9])
    moments = CurveMoments()
    for part in curves.split([2, 2, 2, 3]):
        moments.update(part)
    assert moments.count == 9
    assert moments.mean == pytest.approx(curves.numpy().mean(0), rel=1e-14)
    assert moments.std == pytest.approx(curves.numpy().std(0), rel=1e-6)


def test_equal_curves_have_no_spread():
    moments = CurveMoments()
    for _ in range(10):
        moments.update(torch.full((3, 2), 0.1))
    assert max(moments.std) < 1e-16


def test_a_large_mean_costs_no_precision():
    x = torch.randn(50, 4, dtype=torch.float64) + 1e6
    y = torch.randn(50, 3, dtype=torch.float64) - 1e6
    moments = CentredProducts()
    for part in torch.arange(50).split([20, 1, 29]):
        moments.update(x[part], y[part])
    left, right = x.numpy(), y.numpy()
    wanted = (left - left.mean(0)).T @ (right - right.mean(0))
    np.testing.assert_allclose(moments.products, wanted, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(moments.mean_x, left.mean(0), rtol=1e-14)
    np.testing.assert_allclose(moments.mean_y, right.mean(0), rtol=1e-14)
    assert moments.count == 50


def test_nothing_added_changes_nothing():
    moments = CentredProducts()
    moments.update(torch.zeros(0, 4), torch.zeros(0, 3))
    assert moments.count == 0
    moments.update(torch.ones(2, 4), torch.ones(2, 3))
    moments.update(torch.zeros(0, 4), torch.zeros(0, 3))
    assert moments.count == 2


def test_other_widths_are_refused():
    moments = CentredProducts()
    moments.update(torch.ones(2, 4), torch.ones(2, 3))
    with pytest.raises(ValueError, match=r'widths \(4, 5\) after widths \(4, 3\)'):
        moments.update(torch.ones(2, 4), torch.ones(2, 5))


def test_products_of_parts_merge_to_those_of_all_rows():
    x, y = torch.randn(9, 4).double() + 5, torch.randn(9, 3).double()
    whole, first, second = CentredProducts(), CentredProducts(), CentredProducts()
    whole.update(x, y)
    first.update(x[:2], y[:2])
    second.update(x[2:], y[2:])
    first.merge(second)
    first.merge(CentredProducts())
    assert first.count == 9
    for name in ('mean_x', 'mean_y', 'products'):
        assert torch.allclose(getattr(first, name), getattr(whole, name), rtol=1e-12)
