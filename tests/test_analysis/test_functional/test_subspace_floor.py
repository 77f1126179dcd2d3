"""The floor of a shared projector against numpy, and against every projector that is tried."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.subspace_floor import SubspaceFloor
from mmvitkd.models.connectors import ProjectorConnector
from mmvitkd.models.losses import SubspaceLoss
from mmvitkd.models.utils.features import Features

import numpy as np
import pytest
import torch
from tokens import random_tokens


def measured(d, *features):
    floor = SubspaceFloor(d)
    for each in features:
        floor.update(each)
    return floor.result()


def naive(features, d):
    projectors = []
    for image in features.double().numpy():
        directions = np.linalg.svd(image)[2][:d]
        projectors.append(directions.T @ directions)
    shares = np.linalg.eigvalsh(np.mean(projectors, axis=0))[::-1]
    return [1 - shares[:w].sum() / d for w in range(len(shares) + 1)]


@pytest.mark.parametrize('d', [1, 4, 10])
def test_the_formula(d):
    features = random_tokens(num_images=9, num_tokens=10, width=24)
    found = measured(d, features[:2], features[2:])
    assert found['floor'] == pytest.approx(naive(features, d), abs=1e-12)
    assert (found['d'], found['num_images']) == (d, 9)


def test_images_in_the_same_directions_need_no_more():
    tokens = torch.randn(5, 16, 3) @ torch.randn(3, 24)
    floor = measured(3, tokens)['floor']
    assert floor[:4] == pytest.approx([1, 2 / 3, 1 / 3, 0], abs=1e-9)


@pytest.mark.parametrize('norm', [dict(norm=None, bias=True), dict(norm='LN')])
def test_no_student_behind_a_projector_is_below_it(norm):
    """Free tokens of width 3 and a projector of 16, trained for the loss alone."""
    teacher = random_tokens(num_images=6, num_tokens=9, width=16)
    projector = ProjectorConnector(3, 16, **norm)
    tokens = torch.randn(6, 9, 3, requires_grad=True)
    loss = SubspaceLoss(d=3)
    optimizer = torch.optim.Adam([tokens, *projector.parameters()], lr=0.02)
    for _ in range(400):
        optimizer.zero_grad()
        found = loss(projector(Features(tokens, (3, 3))), Features(teacher, (3, 3)))
        found.backward()
        optimizer.step()
    floor = measured(3, teacher)['floor'][projector.max_rank]
    assert floor - 1e-4 < found.item() < floor + 0.1 < 0.9


def test_parts_of_several_processes_are_the_whole():
    features = random_tokens(num_images=7, num_tokens=8, width=12)
    whole, rest, none = (SubspaceFloor(3) for _ in range(3))
    whole.merge(none)
    rest.update(features[3:])
    whole.merge(rest)
    rest = SubspaceFloor(3)
    rest.update(features[:3])
    whole.merge(rest)
    assert whole.result()['floor'] == pytest.approx(naive(features, 3), abs=1e-12)
    assert whole.result()['num_images'] == 7


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match=r'd=0: '):
        SubspaceFloor(0)
    with pytest.raises(ValueError, match='1 image'):
        SubspaceFloor(2).result()
    floor = SubspaceFloor(5)
    with pytest.raises(ValueError, match=r'd=5 .* 4 tokens of 12'):
        floor.update(torch.randn(1, 4, 12))
    floor.update(torch.randn(1, 6, 12))
    with pytest.raises(ValueError, match=r'found 13 channels, wanted 12'):
        floor.update(torch.randn(1, 6, 13))
