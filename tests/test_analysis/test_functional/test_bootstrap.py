"""The bootstrap: against numpy, and against what theory says of a mean."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.bootstrap import bootstrap_interval

import numpy as np
import pytest
import torch


def test_an_interval_is_what_numpy_says():
    """The same draws, one image after another."""
    rows = torch.rand(9, 2, 3, dtype=torch.float64)
    generator, found = torch.Generator().manual_seed(5), []
    for _ in range(40):
        total = np.zeros((2, 3))
        for image in torch.randint(9, (9,), generator=generator).tolist():
            total += rows[image].numpy()
        found.append(total[0] / total[1])
    low, high = bootstrap_interval(rows, lambda total: total[0] / total[1], 40, seed=5)
    assert low == pytest.approx(np.quantile(found, 0.025, axis=0), rel=1e-12)
    assert high == pytest.approx(np.quantile(found, 0.975, axis=0), rel=1e-12)


def test_the_interval_of_a_mean():
    """Of n images, about 1.96 standard deviations / sqrt(n) to either side."""
    rows = torch.randn(400, 1, dtype=torch.float64)
    (low,), (high,) = bootstrap_interval(rows, lambda total: total / 400, 2000, seed=0)
    half = 1.96 * rows.std().item() / 20
    assert low == pytest.approx(rows.mean().item() - half, abs=0.15 * half)
    assert high == pytest.approx(rows.mean().item() + half, abs=0.15 * half)


def test_pairs_are_drawn_together():
    values = torch.rand(30, 1, dtype=torch.float64)
    low, high = bootstrap_interval(
        torch.stack([values, values + 2], dim=1), lambda total: total[1] - total[0], 50, seed=0
    )
    assert low == pytest.approx([60]) and high == pytest.approx([60])
