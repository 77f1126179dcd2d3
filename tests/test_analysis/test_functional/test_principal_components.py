"""Dataset PCA: against numpy loops, and by hand."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.principal_components import PCADimensions, SecondMoment

import numpy as np
import pytest
import tokens
import torch
from tokens import numbers

THRESHOLDS = ('0.80', '0.90', '0.95', '0.99')


def naive(features, centered, judged=None):
    """The definition, image by image and direction by direction."""
    images = features.double().numpy()
    rows = np.concatenate(list(images))
    mean = rows.mean(0) if centered else np.zeros(rows.shape[1])
    second_moment = sum((image - mean).T @ (image - mean) for image in images) / len(rows)
    eigvals, vectors = np.linalg.eigh(second_moment)
    order = np.argsort(-eigvals)
    eigvals, vectors = eigvals[order], vectors[:, order]
    dimensions, curves = {t: [] for t in THRESHOLDS}, []
    for image in images if judged is None else judged.double().numpy():
        image = image - mean
        curve = [
            np.linalg.norm(image @ vectors[:, :d]) ** 2 / np.linalg.norm(image) ** 2
            for d in range(1, len(eigvals) + 1)
        ]
        curves.append(curve)
        for t in THRESHOLDS:
            enough = [d for d, share in enumerate(curve, 1) if share >= float(t) - 1e-9]
            dimensions[t].append(enough[0])
    return eigvals, dimensions, np.array(curves)


def basis_of(features, centered=False):
    moment = SecondMoment()
    moment.update(features)
    return moment.basis(centered)


def measured(features, centered=False):
    measure = PCADimensions(basis_of(features, centered))
    measure.update(features)
    return measure.result()


@pytest.mark.parametrize('centered', [False, True])
@pytest.mark.parametrize('kind', tokens.KINDS)
def test_the_measure_is_what_numpy_says(kind, centered):
    features = tokens.KINDS[kind]()
    eigvals, dimensions, curves = naive(features, centered)
    found = measured(features, centered)
    for t in THRESHOLDS:
        assert found[t]['mean'] == pytest.approx(np.mean(dimensions[t]), rel=1e-12)
        assert found[t]['p99'] == pytest.approx(np.quantile(dimensions[t], 0.99), rel=1e-12)
    assert found['curve'] == pytest.approx(curves.mean(0), rel=1e-9)
    assert found['std'] == pytest.approx(curves.std(0), rel=1e-6, abs=1e-12)
    assert found['eigvals'] == pytest.approx(eigvals, rel=1e-9, abs=1e-12 * eigvals[0])
    assert found['centered'] is centered


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_each_image_has_the_dimensions_that_numpy_says(kind):
    features = tokens.KINDS[kind]()
    _, dimensions, _ = naive(features, centered=False)
    basis = basis_of(features)
    for index in range(len(features)):
        measure = PCADimensions(basis)
        measure.update(features[index : index + 1])
        found = measure.result()
        assert [found[t]['mean'] for t in THRESHOLDS] == [
            dimensions[t][index] for t in THRESHOLDS
        ]


def test_a_basis_of_one_half_is_evaluated_on_the_other():
    features = tokens.real_tokens()
    measure = PCADimensions(basis_of(features[:4]))
    measure.update(features[4:])
    _, dimensions, curves = naive(features[:4], False, judged=features[4:])
    assert measure.result()['curve'] == pytest.approx(curves.mean(0), rel=1e-9)
    assert measure.result()['0.99']['mean'] == np.mean(dimensions['0.99'])


def test_directions_by_hand():
    """Energies of 0.5, 0.3 and 0.2 along turned axes, the same in each image."""
    axes = torch.linalg.qr(torch.randn(8, 8).double()).Q
    energies = torch.tensor([0.5, 0.3, 0.2, 0, 0, 0, 0, 0], dtype=torch.float64)
    image = torch.diag(energies.sqrt()) @ axes.T
    found = measured(image.repeat(3, 1, 1))
    assert [found[t]['mean'] for t in THRESHOLDS] == [2, 3, 3, 3]
    assert found['curve'] == pytest.approx([0.5, 0.8, 1, 1, 1, 1, 1, 1])
    assert found['std'] == pytest.approx([0] * 8, abs=1e-12)
    assert found['eigvals'] == pytest.approx((energies / 8).tolist(), abs=1e-15)


def test_the_spectrum_of_a_rank_r_dataset_has_r_values():
    eigvals = basis_of(tokens.low_rank_tokens(rank=5)).eigvals
    assert (eigvals > 1e-12).sum() == 5
    assert (eigvals >= 0).all()


def test_the_share_is_of_the_whole_energy():
    """An image outside the dataset's directions reaches 1 only with those it lies in."""
    inside, outside = torch.zeros(2, 10, 16), torch.zeros(1, 10, 16)
    inside[..., :4], outside[..., 4:8] = torch.randn(2, 10, 4), torch.randn(1, 10, 4)
    measure = PCADimensions(basis_of(inside))
    measure.update(outside)
    curve = measure.result()['curve']
    assert curve[3] == pytest.approx(0, abs=1e-12)
    assert curve[15] == pytest.approx(1)


def test_centring_removes_a_mean_that_hides_the_rest():
    features = tokens.random_tokens().double()
    far = features + 1e6 * torch.randn(32)
    assert measured(far)['0.99']['mean'] == 1
    near, moved = measured(features, centered=True), measured(far, centered=True)
    assert moved['curve'] == pytest.approx(near['curve'], rel=1e-6)
    assert moved['0.90'] == near['0.90']


@pytest.mark.parametrize('centered', [False, True])
@pytest.mark.parametrize('kind', tokens.KINDS)
def test_any_split_into_batches_is_the_same(kind, centered):
    features = tokens.KINDS[kind]()
    wanted = measured(features, centered)
    first = SecondMoment()
    for part in features.split([1, 4, 2]):
        first.update(part)
    one = PCADimensions(first.basis(centered))
    for part in features.split([2, 1, 4]):
        one.update(part)
    assert numbers(one.result()) == pytest.approx(numbers(wanted), rel=1e-11, abs=1e-11)


def test_a_result_is_json_and_leaves_the_measure_alone():
    measure = PCADimensions(basis_of(tokens.random_tokens()))
    measure.update(tokens.random_tokens())
    assert json.loads(json.dumps(measure.result())) == measure.result()


def test_other_widths_are_refused():
    measure = PCADimensions(basis_of(tokens.random_tokens()))
    with pytest.raises(ValueError, match='found 16 channels, wanted the 32 of the basis'):
        measure.update(torch.randn(2, 20, 16))


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match='a basis needs the tokens'):
        SecondMoment().basis()
    with pytest.raises(ValueError, match='nothing measured'):
        PCADimensions(basis_of(tokens.random_tokens())).result()
