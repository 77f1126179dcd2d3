"""The permutation test of SEP: against an FFT of every permuted token, and closed forms."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.sep_permutation import SEPPermutation
from mmvitkd.analysis.functional.spectral_energy import MODES

import numpy as np
import pytest
import tokens
import torch
from splits import check_splits

THRESHOLDS = ('0.50', '0.60', '0.70', '0.80', '0.90')
FEW = dict(num_orders=6, num_resamples=30)


def measured(features, **settings):
    measure = SEPPermutation(**settings)
    measure.update(features)
    return measure.result()


def curve_of(image, mode):
    """Mean curve of an image's tokens, (N, D)."""
    curves = []
    for token in image:
        energies = np.abs(np.fft.fft(token)) ** 2
        if mode == 'folded':
            energies = energies[: len(token) // 2 + 1].copy()
            energies[1 : (len(token) + 1) // 2] *= 2
        curves.append(np.cumsum(energies) / energies.sum())
    return np.mean(curves, axis=0)


def d_of(curve):
    return np.array(
        [next(k for k, c in enumerate(curve, 1) if c >= float(t) - 1e-9) for t in THRESHOLDS]
    )


def naive(features, mode, num_orders, num_resamples):
    """Permute, transform, average, resample: one after another, with NumPy's generators."""
    images = features.double().numpy()
    generator = np.random.default_rng(2026)
    orders = [generator.permutation(images.shape[2]) for _ in range(num_orders)]
    natural = np.array([curve_of(image, mode) for image in images])
    permuted = np.array([[curve_of(image[:, o], mode) for image in images] for o in orders])
    before = np.array([d_of(curve) for curve in natural]) / natural.shape[-1]
    after = np.array([[d_of(c) for c in curves] for curves in permuted]) / natural.shape[-1]
    drawn = np.random.default_rng(2027).integers(
        0, len(images), size=(num_resamples, len(images))
    )
    changes = after.mean(0)[drawn].mean(1) - before[drawn].mean(1)
    distances = np.abs(permuted.mean(1) - natural.mean(0)).mean(-1)
    return permuted.mean(1), before, after.mean(1), changes, distances


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('kind', tokens.KINDS)
def test_the_measure_is_what_permuted_tokens_say(kind, mode):
    features = tokens.KINDS[kind]()
    of_orders, before, after, changes, distances = naive(features, mode, **FEW)
    found = measured(features, mode=mode, **FEW)
    assert found['curve'] == pytest.approx(of_orders.mean(0), rel=1e-9)
    assert found['std'] == pytest.approx(of_orders.std(0), rel=1e-6, abs=1e-12)
    assert list(found['bandwidth'].values()) == pytest.approx(after.mean(0))
    assert list(found['d'].values()) == pytest.approx(after.mean(0) * len(found['curve']))
    for key, wanted in (('natural', before), ('of_orders', after)):
        assert [s['mean'] for s in found[key].values()] == pytest.approx(wanted.mean(0))
        assert [s['std'] for s in found[key].values()] == pytest.approx(wanted.std(0), abs=1e-9)
    change = found['change']
    assert [c['mean'] for c in change.values()] == pytest.approx(after.mean(0) - before.mean(0))
    for key, percent in (('low', 2.5), ('high', 97.5)):
        ends = np.percentile(changes, percent, axis=0)
        assert [c[key] for c in change.values()] == pytest.approx(ends, abs=1e-12)
    assert found['curve_l1']['mean'] == pytest.approx(distances.mean(), rel=1e-9)
    assert found['curve_l1']['std'] == pytest.approx(distances.std(), rel=1e-6, abs=1e-12)


def test_the_interval_has_a_width_where_the_mean_curve_hides_it():
    """Every image's curve crosses elsewhere; the mean curve's bandwidth moves in steps."""
    features = torch.randn(60, 20, 96).cumsum(-1)
    change = measured(features, num_orders=10)['change']['0.60']
    assert change['low'] < change['mean'] < change['high']
    assert change['high'] - change['low'] > 1e-3


def test_the_published_settings_are_the_default():
    found = measured(tokens.random_tokens(num_images=3, num_tokens=4, width=8))
    assert (found['num_orders'], found['num_resamples'], found['seed']) == (100, 1000, 2026)
    assert found['confidence'] == 0.95
    assert found['num_tokens'] == 12


def test_the_mean_over_orders_is_a_straight_line_behind_dc():
    """DC has the same share in any order; all other frequencies have the same expectation."""
    features = torch.randn(2, 5, 16).cumsum(-1) + 1
    share = (features.sum(-1).square() / features.square().sum(-1) / 16).mean().item()
    found = measured(features, num_orders=2000, num_resamples=1)
    assert found['curve'][0] == pytest.approx(share, rel=1e-6)
    assert found['std'][0] == pytest.approx(0, abs=1e-12)
    line = share + (1 - share) * np.arange(16) / 15
    assert found['curve'] == pytest.approx(line, abs=0.005)


def test_an_order_that_matters_is_found():
    """Smooth over channels, all energy is at low frequencies; permuted, it is white."""
    channels = torch.arange(64)
    phases = 2 * torch.pi * torch.rand(10, 8, 1)
    waves = torch.cos(2 * torch.pi * 2 * channels / 64 + phases)
    found = measured(waves, mode='folded', num_orders=50, num_resamples=100)
    change = found['change']['0.90']
    natural = found['natural']['0.90']
    assert natural == pytest.approx({**dict.fromkeys(natural, 3 / 33), 'std': 0})
    assert change['mean'] == pytest.approx(found['bandwidth']['0.90'] - 3 / 33)
    assert 0.7 < change['low'] <= change['mean'] <= change['high'] < 0.9
    assert found['p_value']['0.90'] == pytest.approx(1 / 51)


def test_an_order_that_does_not_matter_is_not():
    found = measured(torch.randn(30, 10, 64), mode='folded', num_orders=50)
    for t in THRESHOLDS:
        change = found['change'][t]
        assert change['low'] - 0.02 <= 0 <= change['high'] + 0.02
        assert found['p_value'][t] > 0.02


def test_one_hot_tokens_are_the_same_in_any_order():
    found = measured(tokens.one_hot_tokens(), **FEW)
    assert found['std'] == pytest.approx([0] * 32, abs=1e-12)
    assert found['change']['0.90'] == dict(mean=0, low=0, high=0)
    assert found['curve_l1']['mean'] == pytest.approx(0, abs=1e-12)
    assert set(found['p_value'].values()) == {1.0}


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('kind', tokens.KINDS)
def test_any_split_into_batches_is_the_same(kind, mode):
    check_splits(lambda: SEPPermutation(mode, **FEW), tokens.KINDS[kind]())


def test_zero_tokens_are_counted_and_left_out():
    features = tokens.random_tokens()
    with_zeros = torch.cat([features, torch.zeros(7, 2, 32)], dim=1)
    with_zeros = torch.cat([torch.zeros(1, 22, 32), with_zeros])
    found, wanted = measured(with_zeros, **FEW), measured(features, **FEW)
    assert found.pop('zero_tokens') == 7 * 2 + 22
    assert wanted.pop('zero_tokens') == 0
    assert tokens.numbers(found) == pytest.approx(tokens.numbers(wanted), rel=1e-9, abs=1e-12)
    with pytest.raises(ValueError, match='of 22 tokens, none has any energy'):
        measured(with_zeros[:1])


def test_the_random_state_is_left_alone():
    state = torch.get_rng_state()
    measured(tokens.real_tokens(), **FEW)
    assert torch.get_rng_state().equal(state)


def test_a_result_is_json():
    found = measured(tokens.random_tokens(), **FEW)
    assert json.loads(json.dumps(found)) == found


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match='nothing measured'):
        SEPPermutation().result()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="mode='half'"):
        SEPPermutation('half')
    with pytest.raises(ValueError, match='num_orders=0'):
        SEPPermutation(num_orders=0)
    narrow = SEPPermutation(**FEW)
    narrow.update(torch.randn(2, 3, 16))
    with pytest.raises(ValueError, match='found 32 channels, wanted 16'):
        narrow.update(torch.randn(2, 3, 32))
