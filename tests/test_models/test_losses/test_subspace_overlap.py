"""The overlap of subspaces against torch's SVD, and where that has no gradient."""

import mmvitkd  # noqa: F401
from mmvitkd.models.losses.subspace_overlap import directions_of, subspace_overlap

import pytest
import torch

# (N, C, d): more tokens than channels, fewer, as many; all directions, which cannot turn.
SHAPES = [(7, 5, 2), (5, 9, 3), (6, 6, 1), (5, 9, 5), (5, 4, 4)]


def images(num_tokens, channels, count=3, dtype=torch.float64):
    return torch.randn(count, num_tokens, channels, dtype=dtype)


def basis_of(num_tokens, channels, d):
    """The leading directions of other images."""
    return torch.linalg.svd(images(num_tokens, channels))[2][:, :d].mT


def naive(tokens, basis, d):
    """Image by image and number by number."""
    found = []
    for image, columns in zip(tokens, basis, strict=True):
        leading = torch.linalg.svd(image)[2][:d]
        found.append(sum((v @ u).square() for v in leading for u in columns.mT))
    return torch.stack(found)


def with_values(values, num_tokens=6, channels=8):
    """An image with given singular values, and random directions."""
    left, right = (torch.linalg.qr(images(n, n, 1)[0]).Q for n in (num_tokens, channels))
    count = len(values)
    return (left[:, :count] * torch.tensor(values, dtype=torch.float64) @ right[:, :count].mT)[
        None
    ]


def gradient(tokens, basis, d, **settings):
    tokens = tokens.clone().requires_grad_()
    subspace_overlap(tokens, basis, d, **settings).sum().backward()
    return tokens.grad


@pytest.mark.parametrize(('num_tokens', 'channels', 'd'), SHAPES)
def test_the_formula(num_tokens, channels, d):
    tokens, basis = images(num_tokens, channels), basis_of(num_tokens, channels, d)
    found = subspace_overlap(tokens, basis, d)
    torch.testing.assert_close(found, naive(tokens, basis, d), atol=1e-12, rtol=0)


@pytest.mark.parametrize(('num_tokens', 'channels', 'd'), SHAPES)
def test_the_gradient(num_tokens, channels, d):
    tokens, basis = images(num_tokens, channels, 2), basis_of(num_tokens, channels, d)[:2]
    tokens.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: subspace_overlap(x, basis, d), tokens)


@pytest.mark.parametrize(('num_tokens', 'channels', 'd'), SHAPES)
def test_the_gradient_is_that_of_an_svd_that_differs_everywhere(num_tokens, channels, d):
    tokens, basis = images(num_tokens, channels), basis_of(num_tokens, channels, d)
    leaf = tokens.clone().requires_grad_()
    naive(leaf, basis, d).sum().backward()
    torch.testing.assert_close(gradient(tokens, basis, d), leaf.grad, rtol=1e-6, atol=1e-8)


def test_equal_values_within_the_subspace_do_not_disturb_the_gradient():
    tokens, basis = with_values([3.0, 3.0, 1.0, 1.0, 0.5]), basis_of(6, 8, 2)[:1]
    tokens.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: subspace_overlap(x, basis, 2), tokens)


def test_where_torchs_svd_divides_by_zero_the_gradient_is_finite():
    """Though its subspace is well defined: two equal values in front of smaller ones."""
    tokens, basis = torch.diag(torch.tensor([2.0, 2.0, 1.0, 0.5]).double())[None], torch.eye(4)
    basis = basis[None, :, 1:3].double()
    leaf = tokens.clone().requires_grad_()
    naive(leaf, basis, 2).sum().backward()
    assert not leaf.grad.isfinite().all()
    found = gradient(tokens, basis, 2)
    assert found.isfinite().all()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize(
    'values',
    [
        [3.0, 2.0, 2.0, 1.0],  # equal at the border of the subspace, where it is not defined
        [3.0, 2.0, 2.0 - 1e-12, 1.0],
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        [3.0],  # fewer directions than d
        [1e4, 1e-9, 1e-9, 1e-9],
        [1e-15, 1e-16, 1e-17],
        [0.0],
    ],
)
def test_degenerate_images_have_finite_gradients(values, dtype):
    tokens, basis = with_values(values).to(dtype), basis_of(6, 8, 2)[:1].to(dtype)
    found = subspace_overlap(tokens, basis, 2)
    assert 0 <= found.item() <= 2 + 1e-5
    assert gradient(tokens, basis, 2).isfinite().all()


def test_a_gap_is_damped_below_a_share_of_the_largest():
    """The gradient of one pair, 1 / gap without damping."""
    damped = []
    for gap in (1e-3, 1e-9):
        tokens, basis = torch.zeros(1, 2, 2, dtype=torch.float64), torch.ones(1, 2, 1).double()
        tokens[0] = torch.diag(torch.tensor([1.0, 1 - gap], dtype=torch.float64).sqrt())
        damped.append(gradient(tokens, basis / 2**0.5, 1, eps=1e-6)[0, 0, 1].item())
    exact = 2 * 0.5 / 1e-3  # 2 K_12 s_1 with K_12 = (1 / 2) / gap and s_1 = 1
    assert damped[0] == pytest.approx(exact, rel=1e-3)
    assert damped[1] == pytest.approx(2 * 0.5 * 1e-9 / (1e-18 + 1e-12), rel=1e-3)


def test_an_image_of_fewer_directions_overlaps_with_those_it_has():
    tokens = with_values([3.0])
    own = torch.linalg.svd(tokens)[2][:, :1].mT
    assert subspace_overlap(tokens, own, 4).item() == pytest.approx(1, abs=1e-12)
    assert subspace_overlap(torch.zeros_like(tokens), own, 4).item() == 0


@pytest.mark.parametrize('shape', [(4, 7), (7, 4)])
@pytest.mark.parametrize('value', [torch.nan, torch.inf, 1e30])  # whose square overflows
def test_an_image_without_a_decomposition_gets_nan_and_the_others_theirs(shape, value):
    tokens = images(*shape, dtype=torch.float32)
    broken = tokens.clone()
    broken[1, 0, 0] = value
    for found, wanted in zip(directions_of(broken), directions_of(tokens), strict=True):
        assert found[1].isnan().all()
        torch.testing.assert_close(found[::2], wanted[::2])


@pytest.mark.parametrize('shape', [(4, 7), (7, 4)])
def test_the_decomposition_gives_the_tokens_back(shape):
    tokens = images(*shape)
    left, values, right = directions_of(tokens)
    torch.testing.assert_close(left * values[:, None] @ right.mT, tokens)
    torch.testing.assert_close(values, torch.linalg.svdvals(tokens))
    torch.testing.assert_close(right.mT @ right, torch.eye(4).double().expand(3, 4, 4))


def test_gradient_steps_turn_a_subspace_to_its_target():
    tokens, basis = images(6, 8, 4).requires_grad_(), basis_of(6, 8, 2)[:1].expand(4, 8, 2)
    optimizer = torch.optim.Adam([tokens], lr=0.05)
    found = []
    for _ in range(200):
        optimizer.zero_grad()
        found.append(subspace_overlap(tokens, basis, 2).mean())
        (-found[-1]).backward()
        optimizer.step()
    assert found[0] < 1.2 and found[-1] > 1.98
