"""Channel spectrum and frequency intensity: against a complex FFT, and closed forms."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.channel_spectrum import ChannelSpectrum

import numpy as np
import pytest
import tokens
import torch
from splits import check_splits


def measured(features):
    measure = ChannelSpectrum()
    measure.update(features)
    return measure.result()


@pytest.mark.parametrize('width', [1, 2, 9, 32])
def test_the_spectrum_is_what_a_complex_fft_says(width):
    features = tokens.random_tokens(width=width)
    amplitudes = [np.abs(np.fft.fft(t)) for t in features.double().flatten(0, 1).numpy()]
    spectrum = np.mean(amplitudes, axis=0) / width
    found = measured(features)
    assert found['spectrum'] == pytest.approx(spectrum, rel=1e-9)
    assert found['frequency_intensity'] == pytest.approx(spectrum.mean(), rel=1e-12)


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_the_spectrum_of_maps_is_that_of_their_tokens(kind):
    """As published, over the channels of maps (B, C, H, W)."""
    features = tokens.KINDS[kind]().double()
    maps = features.mT.unflatten(2, (-1, 4))
    spectrum = torch.fft.fft(maps, dim=1).abs().mean((0, 2, 3)) / 32
    assert measured(features)['spectrum'] == pytest.approx(spectrum.tolist(), rel=1e-9)


def test_a_constant_and_a_sinusoid_by_hand():
    """Amplitude 3 at DC; amplitude 4 at frequency 5, half of it at the conjugate."""
    channels = torch.arange(32).double()
    token = 3 + 4 * torch.cos(2 * torch.pi * 5 * channels / 32 + 0.3)
    found = measured(token.expand(2, 6, 32))
    wanted = np.zeros(32)
    wanted[0], wanted[5], wanted[27] = 3, 2, 2
    assert found['spectrum'] == pytest.approx(wanted, abs=1e-12)
    assert found['frequency_intensity'] == pytest.approx(7 / 32, rel=1e-12)


def test_a_one_hot_token_is_white():
    found = measured(6 * torch.eye(12)[None])
    assert found['spectrum'] == pytest.approx([0.5] * 12, rel=1e-12)


def test_zero_tokens_count():
    features = torch.cat([torch.zeros(1, 3, 12), torch.ones(1, 3, 12)])
    assert measured(features)['spectrum'][0] == pytest.approx(0.5)


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_any_split_into_batches_and_processes_is_the_same(kind):
    check_splits(ChannelSpectrum, tokens.KINDS[kind]())


def test_a_result_is_json_and_half_precision_is_raised():
    features = tokens.random_tokens().half()
    found = measured(features)
    assert json.loads(json.dumps(found)) == found == measured(features.double())


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match='nothing measured'):
        ChannelSpectrum().result()


def test_other_widths_are_refused():
    first = ChannelSpectrum()
    first.update(torch.randn(2, 3, 16))
    with pytest.raises(ValueError, match='found 32 channels, wanted 16'):
        first.update(torch.randn(2, 3, 32))
