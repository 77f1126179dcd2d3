"""Top subspaces and the angles between them: against scipy, and by hand."""

import math

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.subspaces import angle_summary, cosines_between, top_subspaces

import numpy as np
import pytest
import scipy.linalg
import torch


@pytest.mark.parametrize('shape', [(3, 20, 32), (3, 32, 20), (3, 20, 20)])
@pytest.mark.parametrize('d', [1, 5, 20])
def test_a_subspace_is_that_of_the_right_singular_vectors(shape, d):
    tokens = torch.randn(shape).double()
    bases, full = top_subspaces(tokens, d)
    assert bases.shape == (3, shape[2], d)
    assert full.all()
    for image, basis in zip(tokens.numpy(), bases.numpy(), strict=True):
        _, _, right = np.linalg.svd(image)
        wanted = right[:d].T @ right[:d]
        np.testing.assert_allclose(basis @ basis.T, wanted, atol=1e-10)
        np.testing.assert_allclose(basis.T @ basis, np.eye(d), atol=1e-12)


def test_a_basis_is_orthonormal_where_values_span_orders_of_magnitude():
    left, right = (torch.linalg.qr(torch.randn(n, 20).double()).Q for n in (30, 40))
    values = torch.logspace(0, -6, 20, dtype=torch.float64)
    bases, full = top_subspaces(((left * values) @ right.T)[None], 20)
    assert full.all()
    torch.testing.assert_close(
        bases[0].T @ bases[0], torch.eye(20).double(), atol=1e-12, rtol=0
    )
    # The columns fall by singular value.
    assert (bases[0, :, 0] @ right[:, 0]).abs() == pytest.approx(1)


def test_an_image_of_fewer_directions_is_marked():
    flat = torch.randn(2, 20, 3).double() @ torch.randn(3, 32).double()
    assert top_subspaces(flat, 3)[1].tolist() == [True, True]
    assert top_subspaces(flat, 4)[1].tolist() == [False, False]
    assert top_subspaces(flat.mT, 4)[1].tolist() == [False, False]
    assert top_subspaces(torch.zeros(1, 20, 32).double(), 1)[1].tolist() == [False]


def test_angles_are_what_scipy_says():
    first, second = (torch.linalg.qr(torch.randn(4, 24, 5).double()).Q for _ in range(2))
    found = angle_summary(cosines_between(first, second))
    wanted = np.array(
        [
            np.sort(np.rad2deg(scipy.linalg.subspace_angles(a, b)))
            for a, b in zip(first.numpy(), second.numpy(), strict=True)
        ]
    )
    assert found['angles']['mean'] == pytest.approx(wanted.mean(0), rel=1e-9)
    assert found['angles']['std'] == pytest.approx(wanted.std(0), rel=1e-9)
    overlaps = (np.cos(np.deg2rad(wanted)) ** 2).mean(1)
    assert found['overlaps'] == pytest.approx(overlaps, rel=1e-9)
    assert found['overlap']['median'] == pytest.approx(np.median(overlaps))


@pytest.mark.parametrize('degrees', [0, 20, 60, 90])
def test_planes_at_a_known_angle(degrees):
    """They share a direction; the other is turned."""
    angle = math.radians(degrees)
    plane = torch.eye(5).double()[:, :2]
    turned = plane.clone()
    turned[1, 1], turned[2, 1] = math.cos(angle), math.sin(angle)
    axes = torch.linalg.qr(torch.randn(5, 5).double()).Q
    found = angle_summary(cosines_between((axes @ plane)[None], (axes @ turned)[None]))
    assert found['angles']['mean'] == pytest.approx([0, degrees], abs=1e-5)
    assert found['overlap']['mean'] == pytest.approx((1 + math.cos(angle) ** 2) / 2)
