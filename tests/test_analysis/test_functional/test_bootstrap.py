"""The bootstrap: against numpy, and against what theory says of a mean."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.bootstrap import bootstrap_interval

import numpy as np
import pytest
import torch


def test_an_interval_is_what_numpy_says():
    """All resamples drawn at once, as in the released code."""
    rows = torch.rand(9, 3, dtype=torch.float64)
    drawn = np.random.default_rng(5).integers(0, 9, size=(40, 9))
    means = rows.numpy()[drawn].mean(1)
    low, high = bootstrap_interval(rows, 40, seed=5)
    assert low == pytest.approx(np.percentile(means, 2.5, axis=0), rel=1e-12)
    assert high == pytest.approx(np.percentile(means, 97.5, axis=0), rel=1e-12)


def test_the_interval_of_a_mean():
    """Of n images, about 1.96 standard deviations / sqrt(n) to either side."""
    rows = torch.randn(400, 1, dtype=torch.float64)
    (low,), (high,) = bootstrap_interval(rows, 2000, seed=0)
    half = 1.96 * rows.std().item() / 20
    assert low == pytest.approx(rows.mean().item() - half, abs=0.15 * half)
    assert high == pytest.approx(rows.mean().item() + half, abs=0.15 * half)
