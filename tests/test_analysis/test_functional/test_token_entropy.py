"""Token entropy: against numpy's histogram to the value, and closed forms."""

import json
import math

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.token_entropy import TokenEntropy, ValueRange

import numpy as np
import pytest
import tokens
import torch
from splits import check_splits

RANGES = [(-3.7, 4.1), (0.1, 0.7), (-1e-3, 3e5), (7.0, 7.25), (-1.0, 1.0), (-2.3, 0.7)]


def measured(features, low, high, bins=100):
    measure = TokenEntropy(low, high, bins)
    measure.update(features)
    return measure.result()


def range_of(features):
    values = ValueRange()
    values.update(features)
    return values.low, values.high


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_the_measure_is_what_histograms_of_tokens_say(kind):
    features = tokens.KINDS[kind]()
    array = features.numpy()
    low, high = float(array.min()), float(array.max())
    values = []
    for image in array:
        entropies = []
        for token in image:
            counts, _ = np.histogram(token, bins=100, range=(low, high))
            shares = counts[counts > 0] / counts.sum()
            entropies.append(-(shares * np.log2(shares)).sum())
        values.append(np.mean(entropies))
    found = measured(features, *range_of(features))
    assert found['mean'] == pytest.approx(np.mean(values), rel=1e-9, abs=1e-12)
    assert found['std'] == pytest.approx(np.std(values), rel=1e-6, abs=1e-12)
    assert found['p99'] == pytest.approx(np.quantile(values, 0.99), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('bins', [1, 7, 100])
@pytest.mark.parametrize(('low', 'high'), RANGES)
def test_values_on_the_edges_are_counted_as_numpy_does(low, high, bins, dtype):
    """And the next numbers on both sides of each."""
    _, edges = np.histogram(np.zeros(1, dtype), bins, (low, high))
    near = [edges, np.nextafter(edges, dtype(np.inf)), np.nextafter(edges, dtype(-np.inf))]
    values = np.unique(np.concatenate([edges.astype(dtype), *near])).astype(dtype)
    values = values[(values >= dtype(low)) & (values <= dtype(high))]
    counts, _ = np.histogram(values, bins, (low, high))
    measure = TokenEntropy(low, high, bins)
    found = measure.counts_of(torch.from_numpy(values)[None])
    assert found[0].tolist() == counts.tolist()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_many_values_are_counted_as_numpy_does(dtype):
    values = torch.cat([torch.randn(50_000), torch.randint(-40, 40, (50_000,)) / 10]).to(dtype)
    low, high = range_of(values.view(1, 1, -1))
    counts, _ = np.histogram(values.numpy(), 100, (low, high))
    found = TokenEntropy(low, high).counts_of(values[None])
    assert found[0].tolist() == counts.tolist()


def test_a_constant_token_has_none_and_a_spread_one_has_all():
    """k bins with as many values each hold log2 k bits."""
    levels = torch.arange(100) + 0.5
    features = torch.stack(
        [torch.full((400,), 3.0), levels.repeat(4), levels[:8].repeat(50), levels.repeat(4)]
    )
    assert measured(features[None, :1], 0, 100)['mean'] == 0
    assert measured(features[None, 1:2], 0, 100)['mean'] == pytest.approx(math.log2(100))
    assert measured(features[None, 2:3], 0, 100)['mean'] == pytest.approx(3)
    wanted = (0 + 2 * math.log2(100) + 3) / 4
    assert measured(features[None], 0, 100)['mean'] == pytest.approx(wanted)


def test_the_order_of_channels_does_not_count():
    features = tokens.real_tokens()
    limits = range_of(features)
    permuted = features[..., torch.randperm(32)]
    assert measured(permuted, *limits) == measured(features, *limits)


def test_values_outside_count_in_the_outermost_bins():
    """A second forward pass may leave the range of the first by its rounding."""
    token = torch.tensor([[-1.5, 0.2, 0.7, 9.0, math.inf, -math.inf]])
    assert TokenEntropy(0, 1, 2).counts_of(token).tolist() == [[3, 3]]


@pytest.mark.parametrize('value', [0.0, -5.0, 3e7])
def test_a_range_of_one_value_has_no_entropy(value):
    features = torch.full((2, 3, 4), value)
    assert measured(features, *range_of(features))['mean'] == 0


def test_a_range_too_narrow_for_the_features_type_does_not_break():
    assert measured(torch.ones(2, 3, 4), 1, 1 + 1e-12)['mean'] == 0


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_any_split_into_batches_and_processes_is_the_same(kind):
    features = tokens.KINDS[kind]()
    limits = range_of(features)
    check_splits(lambda: TokenEntropy(*limits), features)
    check_splits(ValueRange, features)


def test_a_range_is_that_of_all_blocks():
    first = ValueRange()
    first.update(torch.tensor([[[-1.0, 2.0]]]))
    first.update(torch.tensor([[[0.0, 5.0]]], dtype=torch.float16))
    assert first.result() == {'low': -1.0, 'high': 5.0}


def test_half_precision_is_raised():
    features = tokens.random_tokens().bfloat16()
    limits = range_of(features)
    assert limits == range_of(features.float())
    found = measured(features, *limits)
    assert json.loads(json.dumps(found)) == found == measured(features.float(), *limits)


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match='nothing measured'):
        ValueRange().result()
    with pytest.raises(ValueError, match='nothing measured'):
        TokenEntropy(0, 1).result()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match='low=1, high=0'):
        TokenEntropy(1, 0)
    with pytest.raises(ValueError, match='low=inf'):
        TokenEntropy(math.inf, -math.inf)
    with pytest.raises(ValueError, match='bins=0'):
        TokenEntropy(0, 1, bins=0)
