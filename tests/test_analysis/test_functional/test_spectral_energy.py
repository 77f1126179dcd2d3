"""SEP: against a complex FFT token by token, and closed forms."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.spectral_energy import MODES, SEP

import numpy as np
import pytest
import tokens
import torch
from splits import check_splits

THRESHOLDS = ('0.50', '0.60', '0.70', '0.80', '0.90')


def naive(features, mode):
    """Token by token: the mean curve, its spread and its dimensions."""
    curves = []
    for token in features.double().flatten(0, 1).numpy():
        energies = np.abs(np.fft.fft(token)) ** 2
        if mode == 'folded':
            energies = energies[: len(token) // 2 + 1].copy()
            for k in range(1, len(energies)):
                if 2 * k != len(token):
                    energies[k] *= 2
        curves.append(np.cumsum(energies) / energies.sum())
    curve = np.mean(curves, axis=0)
    d = {t: next(k for k, c in enumerate(curve, 1) if c >= float(t) - 1e-9) for t in THRESHOLDS}
    return curve, np.std(curves, axis=0), d


def measured(features, *args):
    measure = SEP(*args)
    measure.update(features)
    return measure.result()


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('kind', tokens.KINDS)
def test_the_measure_is_what_a_complex_fft_says(kind, mode):
    features = tokens.KINDS[kind]()
    curve, std, d = naive(features, mode)
    found = measured(features, mode)
    assert found['curve'] == pytest.approx(curve, rel=1e-9)
    assert found['std'] == pytest.approx(std, rel=1e-6, abs=1e-12)
    assert found['d'] == d
    assert found['num_tokens'] == features.shape[0] * features.shape[1]


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('width', [1, 2, 7, 33])
def test_any_width_will_do(width, mode):
    features = tokens.random_tokens(width=width)
    curve, _, d = naive(features, mode)
    found = measured(features, mode)
    assert found['curve'] == pytest.approx(curve, rel=1e-9)
    assert found['d'] == d
    points = width if mode == 'full' else width // 2 + 1
    assert found['bandwidth'] == {t: k / points for t, k in d.items()}


@pytest.mark.parametrize('frequency', [0, 3, 16])
def test_a_sinusoid_over_channels_has_two_lines(frequency):
    """One at its frequency, one at its conjugate; DC and the highest have one only."""
    channels = torch.arange(32)
    token = torch.cos(2 * torch.pi * frequency * channels / 32)
    full, folded = (measured(token.view(1, 1, -1), mode) for mode in MODES)
    steps = np.arange(32)
    lines = (steps >= frequency) / 2 + (steps >= (32 - frequency) % 32) / 2
    assert full['curve'] == pytest.approx(lines, abs=1e-12)
    assert full['d']['0.50'] == frequency + 1
    assert full['d']['0.60'] == (32 - frequency) % 32 + 1
    assert folded['curve'] == pytest.approx(1.0 * (np.arange(17) >= frequency), abs=1e-12)
    assert set(folded['d'].values()) == {frequency + 1}


def test_a_one_hot_token_is_white():
    """Every frequency has the same energy, so that b_t is t, rounded up."""
    found = measured(torch.eye(384)[[0, 5, 200]][None])
    assert found['curve'] == pytest.approx(np.arange(1, 385) / 384, rel=1e-12)
    assert found['std'] == pytest.approx([0] * 384, abs=1e-12)
    assert found['d'] == {'0.50': 192, '0.60': 231, '0.70': 269, '0.80': 308, '0.90': 346}


def test_white_noise_has_a_straight_curve():
    found = measured(torch.randn(8, 196, 384))
    assert found['curve'] == pytest.approx(np.arange(1, 385) / 384, abs=0.005)
    assert found['bandwidth'] == pytest.approx({t: float(t) for t in THRESHOLDS}, abs=0.01)


def test_half_the_full_bandwidth_holds_half_the_energy_of_any_token():
    """Low frequencies alone, or high ones: the symmetric spectrum has b_50 near 0.5."""
    smooth = torch.randn(4, 10, 64).cumsum(-1)
    smooth -= smooth.mean(-1, keepdim=True)
    alternating = smooth * (-1) ** torch.arange(64)
    for features in (smooth, alternating, torch.randn(4, 10, 64)):
        curve = measured(features)['curve']
        assert curve[32] + curve[31] == pytest.approx(1 + curve[0], abs=1e-12)
    folded = [measured(f, 'folded')['bandwidth']['0.50'] for f in (smooth, alternating)]
    assert folded[0] < 0.1 and folded[1] > 0.9


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('kind', tokens.KINDS)
def test_any_split_into_batches_is_the_same(kind, mode):
    check_splits(lambda: SEP(mode), tokens.KINDS[kind]())


def test_the_length_of_a_token_does_not_count():
    features = tokens.random_tokens()
    lengths = torch.rand(7, 20, 1) + 0.5
    assert measured(features * lengths)['curve'] == pytest.approx(
        measured(features)['curve'], rel=1e-5
    )


def test_zero_tokens_are_counted_and_left_out():
    features = tokens.random_tokens()
    with_zeros = torch.cat([features, torch.zeros(7, 2, 32)], dim=1)
    with_zeros = torch.cat([with_zeros, torch.zeros(1, 22, 32)])
    found, wanted = measured(with_zeros), measured(features)
    assert found.pop('zero_tokens') == 7 * 2 + 22
    assert wanted.pop('zero_tokens') == 0
    assert tokens.numbers(found) == pytest.approx(tokens.numbers(wanted), rel=1e-12)
    with pytest.raises(ValueError, match='of 22 tokens, none has any energy'):
        measured(with_zeros[-1:])


def test_a_result_is_json():
    found = measured(tokens.random_tokens(), 'folded')
    assert json.loads(json.dumps(found)) == found


def test_half_precision_is_raised():
    features = tokens.random_tokens().half()
    assert measured(features) == measured(features.double())


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match='nothing measured'):
        SEP().result()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="mode='half': wanted one of"):
        SEP('half')
    measure = SEP()
    measure.update(torch.randn(2, 3, 32))
    with pytest.raises(ValueError, match='32 and of 16'):
        measure.update(torch.randn(2, 3, 16))
