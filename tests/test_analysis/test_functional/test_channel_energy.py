"""Sorted channel energy and participation ratio: token by token, and closed forms."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.channel_energy import ParticipationRatio, SortedChannelEnergy
from mmvitkd.analysis.functional.sep_null import null_tokens

import numpy as np
import pytest
import tokens
import torch
from splits import check_splits

THRESHOLDS = ('0.50', '0.60', '0.70', '0.80', '0.90')
MEASURES = (SortedChannelEnergy, ParticipationRatio)


def measured(measure, features):
    measure.update(features)
    return measure.result()


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_sorted_energy_token_by_token(kind):
    features = tokens.KINDS[kind]()
    curves = []
    for token in features.double().flatten(0, 1).tolist():
        energies = sorted((x * x for x in token), reverse=True)
        curves.append(np.cumsum(energies) / sum(energies))
    curve = np.mean(curves, axis=0)
    found = measured(SortedChannelEnergy(), features)
    assert found['curve'] == pytest.approx(curve, rel=1e-9)
    assert found['std'] == pytest.approx(np.std(curves, axis=0), rel=1e-6, abs=1e-12)
    assert found['d'] == {
        t: next(d for d, c in enumerate(curve, 1) if c >= float(t) - 1e-9) for t in THRESHOLDS
    }
    assert found['bandwidth'] == {t: d / 32 for t, d in found['d'].items()}


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_the_participation_ratio_token_by_token(kind):
    features = tokens.KINDS[kind]()
    values = []
    for image in features.double().numpy():
        energies = [token**2 for token in image]
        values.append(np.mean([e.sum() ** 2 / (e**2).sum() for e in energies]))
    found = measured(ParticipationRatio(), features)
    assert found['mean'] == pytest.approx(np.mean(values), rel=1e-12)
    assert found['std'] == pytest.approx(np.std(values), rel=1e-6, abs=1e-12)
    assert found['p99'] == pytest.approx(np.quantile(values, 0.99), rel=1e-12)
    assert found['share'] == pytest.approx(np.mean(values) / 32, rel=1e-12)


def test_equal_channels_by_hand():
    """k channels equally large: d is k t, rounded up, and the ratio is k."""
    token = torch.zeros(1, 1, 50)
    token[..., 7:27] = -3
    found = measured(SortedChannelEnergy(), token)
    assert found['curve'] == pytest.approx([min(d / 20, 1) for d in range(1, 51)], rel=1e-12)
    assert found['d'] == {'0.50': 10, '0.60': 12, '0.70': 14, '0.80': 16, '0.90': 18}
    found = measured(ParticipationRatio(), token)
    assert found['mean'] == pytest.approx(20, rel=1e-12)
    assert found['share'] == pytest.approx(0.4, rel=1e-12)


@pytest.mark.parametrize(('active', 'ratio'), [(1, 1), (8, 10 / 3), (None, 128)])
def test_the_ratio_of_random_tokens(active, ratio):
    """Of k Gaussian channels near (k + 2) / 3; of many, a third of them."""
    found = measured(ParticipationRatio(), null_tokens(384, active_channels=active))
    assert found['mean'] == pytest.approx(ratio, rel=0.25 if active == 8 else 0.02)


@pytest.mark.parametrize('measure', MEASURES)
@pytest.mark.parametrize('kind', tokens.KINDS)
def test_the_order_of_channels_does_not_count(measure, kind):
    features = tokens.KINDS[kind]()
    found = measured(measure(), features[..., torch.randperm(32)])
    wanted = tokens.numbers(measured(measure(), features))
    assert tokens.numbers(found) == pytest.approx(wanted, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize('measure', MEASURES)
@pytest.mark.parametrize('kind', tokens.KINDS)
def test_any_split_into_batches_and_processes_is_the_same(measure, kind):
    check_splits(measure, tokens.KINDS[kind]())


@pytest.mark.parametrize('measure', MEASURES)
def test_zero_tokens_are_counted_and_left_out(measure):
    features = tokens.random_tokens()
    with_zeros = torch.cat([features, torch.zeros(7, 2, 32)], dim=1)
    with_zeros = torch.cat([torch.zeros(1, 22, 32), with_zeros])
    found, wanted = measured(measure(), with_zeros), measured(measure(), features)
    assert found.pop('zero_tokens') == 7 * 2 + 22
    assert wanted.pop('zero_tokens') == 0
    assert tokens.numbers(found) == pytest.approx(tokens.numbers(wanted), rel=1e-12, abs=1e-12)
    with pytest.raises(ValueError, match='nothing measured'):
        measured(measure(), with_zeros[:1])


def test_zero_tokens_of_all_batches_count():
    first = ParticipationRatio()
    first.update(torch.cat([torch.zeros(1, 1, 4), torch.ones(1, 1, 4)]))
    first.update(torch.zeros(2, 1, 4))
    assert first.result()['zero_tokens'] == 3
    assert first.result()['mean'] == 4


@pytest.mark.parametrize('measure', MEASURES)
def test_a_result_is_json(measure):
    found = measured(measure(), tokens.random_tokens())
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize('measure', MEASURES)
def test_half_precision_is_raised(measure):
    features = (100 * tokens.random_tokens()).half()
    assert measured(measure(), features) == measured(measure(), features.double())


@pytest.mark.parametrize('measure', MEASURES)
def test_other_widths_are_refused(measure):
    first = measure()
    first.update(torch.randn(2, 3, 16))
    with pytest.raises(ValueError, match=r'\b16\b.*\b32\b|\b32\b.*\b16\b'):
        first.update(torch.randn(2, 3, 32))
