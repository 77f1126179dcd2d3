"""Shares of energy over directions, by hand."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.energy_shares import EnergyShares

import pytest
import torch


def test_shares_are_of_the_whole_energy_of_each_image():
    """The second image has a fifth of its energy outside the directions."""
    measure = EnergyShares([0.5, 0.8, 0.9])
    energies = torch.tensor([[6.0, 3.0, 1.0], [50.0, 30.0, 0.0], [0.0, 0.0, 0.0]])
    measure.update(energies.double(), torch.tensor([10.0, 100.0, 0.0]).double())
    found = measure.result()
    assert [found[t]['mean'] for t in ('0.50', '0.80', '0.90')] == [1, 2, 2.5]
    assert found['curve'] == pytest.approx([0.55, 0.85, 0.9])
    assert found['std'] == pytest.approx([0.05, 0.05, 0.1])
    assert found['zero_images'] == 1
