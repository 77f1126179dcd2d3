"""Subspace rotation: against numpy's SVD, known angles, and the null of random subspaces."""

import json
import math

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.pair_sampling import draw_pairs
from mmvitkd.analysis.functional.principal_components import SecondMoment
from mmvitkd.analysis.functional.subspace_rotation import SubspaceRotation

import numpy as np
import pytest
import tokens
import torch
from tokens import numbers


def basis_of(features, centered=False):
    moment = SecondMoment()
    moment.update(features)
    return moment.basis(centered)


def measured(features, **settings):
    measure = SubspaceRotation(len(features), **settings)
    measure.update(features, range(len(features)))
    return measure.result()


def naive_cosines(first, second):
    return np.linalg.svd(first @ second.T)[1].clip(max=1)


def naive(features, d, pairs, centered):
    """Cosines between pairs and to the dataset, from full decompositions."""
    images = features.double().numpy()
    rows = np.concatenate(list(images))
    mean = rows.mean(0) if centered else 0.0
    tops = [np.linalg.svd(image - mean)[2][:d] for image in images]
    dataset = np.linalg.svd(rows - mean)[2][:d]
    between = np.array([naive_cosines(tops[i], tops[j]) for i, j in sorted(pairs)])
    return between, np.array([naive_cosines(top, dataset) for top in tops])


@pytest.mark.parametrize('centered', [False, True])
@pytest.mark.parametrize('kind', ['random', 'one-hot', 'real'])
def test_the_measure_is_what_numpy_says(kind, centered):
    features = tokens.KINDS[kind]()
    settings = dict(d=4, num_pairs=9, seed=3)
    found = measured(features, basis=basis_of(features, centered), **settings)
    cosines = naive(features, 4, draw_pairs(7, 9, seed=3), centered)
    for part, wanted in zip(('pairs', 'dataset'), cosines, strict=True):
        degrees, overlaps = np.rad2deg(np.arccos(wanted)), (wanted**2).mean(1)
        # Near 0 the arc cosine is only as good as the root of the rounding.
        assert found[part]['angles']['mean'] == pytest.approx(degrees.mean(0), abs=1e-5)
        assert found[part]['angles']['std'] == pytest.approx(degrees.std(0), abs=1e-5)
        assert found[part]['overlaps'] == pytest.approx(overlaps, rel=1e-9)
        assert found[part]['overlap']['mean'] == pytest.approx(overlaps.mean(), rel=1e-9)
    assert (found['num_pairs'], found['centered'], found['null']) == (9, centered, 4 / 32)


def test_the_same_image_again_has_no_rotation():
    features = tokens.real_tokens(1).repeat(4, 1, 1)
    found = measured(features, basis=basis_of(features))
    for part in ('pairs', 'dataset'):
        assert found[part]['angles']['mean'] == pytest.approx([0] * 10, abs=1e-5)
        assert found[part]['overlaps'] == pytest.approx([1] * len(found[part]['overlaps']))
    assert found['num_pairs'] == 6


def test_subspaces_at_a_known_angle():
    """Every one of the d directions is turned by 30 degrees, into channels of its own."""
    d, angle = 3, math.radians(30)
    axes = torch.linalg.qr(torch.randn(16, 16).double()).Q.T
    turned = math.cos(angle) * axes[:d] + math.sin(angle) * axes[d : 2 * d]
    weights = torch.randn(2, 10, d).double()
    found = measured(torch.stack([weights[0] @ axes[:d], weights[1] @ turned]), d=d)
    assert found['pairs']['angles']['mean'] == pytest.approx([30] * d)
    assert found['pairs']['overlap']['mean'] == pytest.approx(0.75)
    assert 'dataset' not in found


def test_random_subspaces_overlap_as_the_null_says():
    """Of 190 pairs in 64 dimensions; a mean of 0.125 with a standard error of 0.001."""
    found = measured(torch.randn(20, 30, 64), d=8, num_pairs=1000)
    assert found['null'] == 8 / 64
    assert found['num_pairs'] == 190
    assert found['pairs']['overlap']['mean'] == pytest.approx(found['null'], abs=0.005)


def test_the_shared_mean_is_an_overlap_that_centring_removes():
    features = torch.randn(8, 30, 64) + 5 * torch.randn(64)
    plain = measured(features, d=4, basis=basis_of(features))['pairs']
    centred = measured(features, d=4, basis=basis_of(features, True))['pairs']
    assert plain['angles']['mean'][0] < 10
    assert centred['angles']['mean'][0] > 40
    assert plain['overlap']['mean'] > 1 / 4 > centred['overlap']['mean']


@pytest.mark.parametrize('with_basis', [False, True])
def test_any_split_and_order_is_the_same(with_basis):
    features = tokens.random_tokens()
    settings = dict(basis=basis_of(features) if with_basis else None, d=5, num_pairs=8)
    wanted = numbers(measured(features, **settings))
    shuffled = SubspaceRotation(7, **settings)
    for part in torch.tensor([4, 0, 6, 2, 1, 5, 3]).split([2, 1, 4]):
        shuffled.update(features[part], part.tolist())
    assert numbers(shuffled.result()) == pytest.approx(wanted, rel=1e-11)


def test_bases_are_kept_only_while_a_pair_needs_them():
    features, measure = torch.randn(40, 12, 16), SubspaceRotation(40, d=3, num_pairs=10)
    pairs = draw_pairs(40, 10, seed=2026)
    for index in range(40):
        measure.update(features[index : index + 1], [index])
        waited = {i for i, j in pairs if i <= index < j}
        assert measure._bases.keys() == waited
    assert measure.result()['num_pairs'] == 10


def test_missing_images_drop_their_pairs():
    features = tokens.random_tokens()
    measure = SubspaceRotation(7, d=3)
    measure.update(features[:4], range(4))
    found = measure.result()
    assert found['num_pairs'] == 6
    assert found['pairs'] == measured(features[:4], d=3)['pairs']


def test_images_of_fewer_directions_are_counted_and_left_out():
    flat = tokens.low_rank_tokens(rank=2, num_images=2)
    features = torch.cat([tokens.random_tokens(5).double(), flat])
    found = measured(features, d=3)
    assert (found['left_out'], found['num_pairs']) == (2, 10)
    first = SubspaceRotation(7, d=3)
    first.update(features[:6], range(6))
    first.update(features[6:], [6])
    assert first.result() == found
    with pytest.raises(ValueError, match='image 6 was measured before'):
        first.update(features[6:], [6])
    with pytest.raises(ValueError, match=r'none has both.*2 images have fewer than d=3'):
        measured(flat, d=3)


def test_every_image_is_compared_with_the_dataset_in_a_pair_or_not():
    features = tokens.random_tokens()
    one, all_pairs = (
        measured(features, basis=basis_of(features), num_pairs=n) for n in (1, 21)
    )
    assert (one['num_pairs'], len(one['dataset']['overlaps'])) == (1, 7)
    assert one['dataset'] == all_pairs['dataset']


def test_a_result_is_json():
    result = measured(tokens.random_tokens(), basis=basis_of(tokens.random_tokens()))
    assert json.loads(json.dumps(result)) == result


def test_more_dimensions_than_there_can_be_are_refused():
    with pytest.raises(ValueError, match=r'd=21 is more than 20.* 20 tokens of 32 channels'):
        measured(tokens.random_tokens(), d=21)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(num_images=1), 'num_images=1: a pair needs 2'),
        (dict(num_images=5, d=0), 'd=0, num_pairs=500: wanted 1 or more'),
        (dict(num_images=5, num_pairs=0), 'd=10, num_pairs=0: wanted 1 or more'),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SubspaceRotation(**settings)


@pytest.mark.parametrize(
    ('indices', 'message'),
    [
        ([2], r'found \[2\], wanted 2 different'),
        ([2, 2], r'found \[2, 2\], wanted 2 different'),
        ([2, 1], 'image 1 was measured before'),
        ([2, 5], r'found 5, wanted 0 to 4 \(num_images=5\)'),
    ],
)
def test_indices_that_do_not_fit_are_refused(indices, message):
    measure = SubspaceRotation(5, d=3)
    measure.update(torch.randn(2, 20, 32), [0, 1])
    with pytest.raises(ValueError, match=message):
        measure.update(torch.randn(2, 20, 32), indices)


def test_other_widths_are_refused():
    measure = SubspaceRotation(5, d=3, basis=basis_of(tokens.random_tokens()))
    with pytest.raises(ValueError, match='found 16 channels, wanted 32'):
        measure.update(torch.randn(1, 20, 16), [0])


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match='nothing measured: of 10 pairs'):
        SubspaceRotation(5).result()
