"""Singular values, SVD dimensions and effective rank: against numpy's SVD, and by hand."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.singular_values import (
    SVDDimensions,
    effective_rank,
    singular_values,
)

import numpy as np
import pytest
import tokens
import torch
from tokens import numbers

THRESHOLDS = ('0.80', '0.90', '0.95', '0.99')


def naive(features):
    """One image at a time, with U and V."""
    dimensions, curves, ranks = {t: [] for t in THRESHOLDS}, [], []
    for image in features.double().numpy():
        _, values, _ = np.linalg.svd(image, full_matrices=False)
        energy, captured, curve = (values**2).sum(), 0.0, []
        for value in values:
            captured += value**2
            curve.append(captured / energy)
        curves.append(curve)
        for t in THRESHOLDS:
            dimensions[t].append(
                next(d for d, c in enumerate(curve, 1) if c >= float(t) - 1e-9)
            )
        shares = values[values > 0] / values.sum()
        ranks.append(np.exp(-(shares * np.log(shares)).sum()))
    return dimensions, np.array(curves), np.array(ranks)


def measured(features, **settings):
    measure = SVDDimensions(**settings)
    measure.update(features)
    return measure.result()


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_the_measure_is_what_numpy_says(kind):
    features = tokens.KINDS[kind]()
    dimensions, curves, ranks = naive(features)
    found = measured(features)
    for t in THRESHOLDS:
        assert found[t]['mean'] == pytest.approx(np.mean(dimensions[t]), rel=1e-12)
        assert found[t]['p99'] == pytest.approx(np.quantile(dimensions[t], 0.99), rel=1e-12)
    assert found['curve'] == pytest.approx(curves.mean(0), rel=1e-9)
    assert found['std'] == pytest.approx(curves.std(0), rel=1e-6, abs=1e-12)
    assert found['effective_rank']['mean'] == pytest.approx(ranks.mean(), rel=1e-9)
    assert found['effective_rank']['std'] == pytest.approx(ranks.std(), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_each_image_has_the_dimensions_that_numpy_says(kind):
    features = tokens.KINDS[kind]()
    dimensions, _, _ = naive(features)
    for index in range(len(features)):
        found = measured(features[index : index + 1])
        assert [found[t]['mean'] for t in THRESHOLDS] == [
            dimensions[t][index] for t in THRESHOLDS
        ]


@pytest.mark.parametrize('shape', [(3, 20, 32), (3, 32, 20), (3, 20, 20)])
def test_values_are_those_of_a_decomposition(shape):
    features = torch.randn(shape)
    wanted = torch.linalg.svdvals(features.double())
    torch.testing.assert_close(singular_values(features), wanted, rtol=1e-9, atol=0)


def test_squared_values_are_right_to_the_bound():
    """Over many orders of magnitude, down to where a value counts as 0."""
    left, right = (torch.linalg.qr(torch.randn(n, 40).double()).Q for n in (48, 64))
    wanted = torch.logspace(0, -12, 40, dtype=torch.float64)
    found = singular_values(((left * wanted) @ right.T)[None])[0]
    found, rest = found[:40], found[40:]
    assert (rest == 0).all()
    assert (found.square() - wanted.square()).abs().max() < 48 * 2.3e-16
    assert (found[wanted < 5e-8] == 0).all()
    assert (found[wanted > 5e-7] > 0).all()


def test_a_matrix_of_rank_r_has_r_values():
    values = singular_values(tokens.low_rank_tokens(rank=5))
    assert (values > 0).sum(1).tolist() == [5] * 7


def test_equal_values_by_hand():
    """Of r equal singular values, d hold d / r of the energy and the effective rank is r."""
    image = torch.zeros(1, 24, 40)
    image[0, :10, :10] = 3 * torch.eye(10)
    found = measured(image)
    assert [found[t]['mean'] for t in THRESHOLDS] == [8, 9, 10, 10]
    assert found['curve'] == pytest.approx([min(d / 10, 1) for d in range(1, 25)])
    assert found['effective_rank']['mean'] == pytest.approx(10, rel=1e-12)


def test_an_effective_rank_by_hand():
    """Shares of 1/2, 1/4 and 1/4 have an entropy of 1.5 bits."""
    assert effective_rank(torch.tensor([2.0, 1.0, 1.0, 0.0])) == pytest.approx(2**1.5)


def test_scale_and_rotation_change_nothing():
    features = tokens.random_tokens().double()
    turned = 1e-3 * features @ torch.linalg.qr(torch.randn(32, 32).double()).Q
    assert numbers(measured(turned)) == pytest.approx(numbers(measured(features)), abs=1e-11)


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_any_split_into_batches_is_the_same(kind):
    features = tokens.KINDS[kind]()
    wanted = numbers(measured(features))
    split = SVDDimensions()
    for part in features.split([1, 4, 2]):
        split.update(part)
    assert numbers(split.result()) == pytest.approx(wanted, rel=1e-12, abs=1e-12)


def test_a_result_is_json_and_leaves_the_measure_alone():
    measure = SVDDimensions()
    measure.update(tokens.random_tokens())
    assert json.loads(json.dumps(measure.result())) == measure.result()


def test_half_precision_is_raised():
    features = tokens.random_tokens().bfloat16()
    assert measured(features) == measured(features.double())


def test_images_of_zeros_are_counted_and_left_out():
    features = tokens.random_tokens()
    with_zeros = torch.cat([torch.zeros(2, 20, 32), features])
    assert measured(with_zeros) == {**measured(features), 'zero_images': 2}
    first = SVDDimensions()
    first.update(with_zeros[:1])
    first.update(with_zeros[1:])
    assert first.result()['zero_images'] == 2
    with pytest.raises(ValueError, match='of 2 images, none has any energy'):
        measured(with_zeros[:2])


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match='nothing measured'):
        SVDDimensions().result()


def test_images_of_other_sizes_are_refused():
    measure = SVDDimensions()
    measure.update(torch.randn(2, 20, 32))
    with pytest.raises(ValueError, match='curves of 20 and of 16 points'):
        measure.update(torch.randn(2, 16, 32))
