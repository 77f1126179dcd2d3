"""The radial spectrum: waves, noise, and sums written out."""

import math

import numpy as np
import pytest
import torch

from projects.mdbn.mdbn.radial_spectrum import BINS, radial_spectrum


def wave(cycles_x, cycles_y=0.0, side=64):
    places = torch.arange(side, dtype=torch.float64)
    phase = 2 * math.pi * (cycles_x * places[None, :] + cycles_y * places[:, None])
    return (phase.sin() + 5)[None, None]


@pytest.mark.parametrize(
    ('cycles', 'share'), [((0.1, 0), 0), ((0.4, 0), 1), ((0.2, 0.2), 1), ((0.15, 0.15), 0)]
)
def test_a_wave_has_its_energy_at_its_frequency(cycles, share):
    found = radial_spectrum(wave(*cycles), 0.25)
    assert found.above.item() == pytest.approx(share, abs=0.01)
    assert found.power[0].argmax().item() == pytest.approx(
        math.hypot(*cycles) * 2 * BINS, abs=1
    )


def test_white_noise_is_flat():
    maps = torch.randn(2, 64, 40, 48)
    found = radial_spectrum(maps, 0.25)
    assert found.above.tolist() == pytest.approx([found.flat] * 2, abs=0.01)
    # All but a circle around the middle of the square of frequencies.
    assert found.flat == pytest.approx(1 - math.pi * 0.25**2, abs=0.01)
    assert found.power[:, 4:].std(1).max() < 0.1 * found.power.mean()


def test_it_equals_sums_written_out():
    maps = torch.randn(1, 2, 6, 8, dtype=torch.float64)
    window = np.outer(np.hanning(6), np.hanning(8))
    power = np.zeros((6, 8))
    for channel in maps[0].numpy():
        centred = (channel - (channel * window).sum() / window.sum()) * window
        for u in range(6):
            for v in range(8):
                turns = u * np.arange(6)[:, None] / 6 + v * np.arange(8) / 8
                power[u, v] += abs((centred * np.exp(-2j * math.pi * turns)).sum()) ** 2
    radius = [
        [math.hypot(min(u, 6 - u) / 6, min(v, 8 - v) / 8) for v in range(8)] for u in range(6)
    ]
    expected = power[np.array(radius) > 0.3].sum() / power.sum()
    assert radial_spectrum(maps, 0.3).above.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('value', [0, 0.7, 1.7])
def test_constant_maps_have_no_spectrum(value):
    with pytest.raises(ValueError, match='equal'):
        radial_spectrum(torch.full((1, 2, 9, 7), value), 0.25)


def test_a_weak_pattern_has_the_spectrum_of_a_strong_one():
    strong, weak = (radial_spectrum(1e3 + a * wave(0.4), 0.25) for a in (1e3, 1e-2))
    assert weak.above.item() == pytest.approx(strong.above.item(), abs=1e-6)


@pytest.mark.parametrize('size', [(2, 9), (9, 1)])
def test_maps_without_an_inside_have_no_spectrum(size):
    with pytest.raises(ValueError, match=f'{size[0]} x {size[1]} pixels'):
        radial_spectrum(torch.rand(1, 2, *size), 0.25)
