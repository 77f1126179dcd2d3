"""Energies over the frequencies of channels, against a complex FFT."""

import mmvitkd  # noqa: F401
from mmvitkd.models.utils.channel_power import half_power, ordered_power

import numpy as np
import pytest
import torch


@pytest.mark.parametrize('width', [1, 2, 8, 9])
def test_the_order_of_both_modes(width):
    token = torch.randn(width).double()
    energies = np.abs(np.fft.fft(token.numpy())) ** 2
    half = half_power(token)
    full = ordered_power(half, width, 'full')
    assert full.numpy() == pytest.approx(energies, rel=1e-9)
    doubled = [e if 2 * k in (0, width) else 2 * e for k, e in enumerate(energies)]
    folded = ordered_power(half, width, 'folded')
    assert folded.numpy() == pytest.approx(doubled[: width // 2 + 1], rel=1e-9)


@pytest.mark.parametrize('mode', ['full', 'folded'])
@pytest.mark.parametrize('width', [8, 9])
def test_both_modes_hold_the_energy_of_the_tokens(width, mode):
    """Parseval: the energy of the spectrum is D times that of the token."""
    token = torch.randn(width).double()
    energy = ordered_power(half_power(token), width, mode).sum().item()
    assert energy == pytest.approx(width * token.square().sum().item(), rel=1e-12)
