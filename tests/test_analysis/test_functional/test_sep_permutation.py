"""The permutation test of SEP: against an FFT of every permuted token, and closed forms."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.sep_permutation import SEPPermutation
from mmvitkd.analysis.functional.spectral_energy import MODES, SEP

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
    """Permute, transform, average, resample: one after another."""
    images = features.double().numpy()
    width = images.shape[2]
    generator = torch.Generator().manual_seed(2026)
    orders = [torch.randperm(width, generator=generator).numpy() for _ in range(num_orders)]
    natural = np.array([curve_of(image, mode) for image in images])
    permuted = np.array([[curve_of(image[:, o], mode) for o in orders] for image in images])
    changes = []
    generator = torch.Generator().manual_seed(2026)
    for _ in range(num_resamples):
        drawn = torch.randint(len(images), (len(images),), generator=generator).tolist()
        before, after = natural[drawn].mean(0), permuted[drawn].mean((0, 1))
        changes.append((d_of(after) - d_of(before)) / len(before))
    return natural.mean(0), permuted.mean(0), np.array(changes)


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('kind', tokens.KINDS)
def test_the_measure_is_what_permuted_tokens_say(kind, mode):
    features = tokens.KINDS[kind]()
    natural, of_orders, changes = naive(features, mode, **FEW)
    found = measured(features, mode=mode, **FEW)
    curve = of_orders.mean(0)
    assert found['curve'] == pytest.approx(curve, rel=1e-9)
    assert found['std'] == pytest.approx(of_orders.std(0), rel=1e-6, abs=1e-12)
    assert list(found['d'].values()) == d_of(curve).tolist()
    means = [d_of(c) for c in of_orders]
    assert [s['mean'] for s in found['d_of_orders'].values()] == pytest.approx(
        np.mean(means, 0)
    )
    change = found['change']
    assert [c['mean'] for c in change.values()] == pytest.approx(
        (d_of(curve) - d_of(natural)) / len(curve)
    )
    for key, quantile in (('low', 0.025), ('high', 0.975)):
        ends = np.quantile(changes, quantile, axis=0)
        assert [c[key] for c in change.values()] == pytest.approx(ends, abs=1e-12)


def test_the_natural_order_is_that_of_sep():
    features = tokens.real_tokens()
    sep = SEP()
    sep.update(features)
    natural, found = sep.result()['bandwidth'], measured(features, **FEW)
    for t in THRESHOLDS:
        change = found['bandwidth'][t] - natural[t]
        assert found['change'][t]['mean'] == pytest.approx(change)


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
