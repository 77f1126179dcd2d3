"""Overlap of images' leading right singular subspaces, with a finite gradient everywhere."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Directions(NamedTuple):
    """The singular value decompositions of images' tokens, by descending singular value.

    Attributes:
        left: (B, N, n) with n = min(N, C).
        values: (B, n).
        right: (B, C, n), zero where the singular value is 0 up to rounding.
    """

    left: Tensor
    values: Tensor
    right: Tensor


def directions_of(tokens: Tensor) -> Directions:
    """Decompose each image's tokens by the eigenvectors of the smaller Gram matrix.

    It takes half the time of ``torch.linalg.svd``. A squared singular value is accurate to
    ``n * eps`` of the largest one; smaller ones count as 0. An image whose Gram matrix is not
    finite gets NaN throughout.

    Args:
        tokens: (B, N, C), in float32 or float64.
    """
    is_wide = tokens.shape[1] <= tokens.shape[2]
    short = tokens if is_wide else tokens.mT
    gram = short @ short.mT
    is_finite = gram.isfinite().all(-1).all(-1)[:, None, None]
    # `eigh` raises for NaN; a NaN that is returned can be traced to the loss that has it.
    squares, vectors = torch.linalg.eigh(gram.where(is_finite, 0))
    vectors = vectors.where(is_finite, torch.nan)
    squares, vectors = squares.flip(-1).clamp_min(0), vectors.flip(-1)
    noise = squares.shape[-1] * torch.finfo(squares.dtype).eps * squares[:, :1]
    has_energy = squares > noise
    values = squares.where(has_energy, 0).sqrt().where(is_finite[..., 0], torch.nan)
    inverse = (1 / values).where(has_energy, 0)
    others = short.mT @ vectors * inverse[:, None]
    if is_wide:
        return Directions(vectors, values, others)
    return Directions(others, values, vectors * has_energy[:, None])


def subspace_overlap(tokens: Tensor, basis: Tensor, d: int, eps: float = 1e-6) -> Tensor:
    """Return ``||V^T basis||_F^2``, V the d leading right singular vectors of each image.

    The exact gradient divides by the gaps ``l_i - l_j`` of the squared singular values of one
    direction i <= d and one j > d, and is infinite where l_d equals l_(d + 1). Here a gap g
    counts as ``g + (eps l_1)^2 / g``, so that the gradient is finite everywhere, and 0 for
    a pair that is exactly equal. Pairs within V, or outside of it, do not count: turning
    directions within a subspace does not change it, which ``torch.linalg.svd`` does not know.

    A direction without energy counts as orthogonal to everything: an image with fewer than d
    directions has an overlap with those that it has, and no gradient for the missing ones.

    Args:
        tokens: (B, N, C) in float32 or float64.
        basis: Orthonormal columns (B, C, k), without gradient.
        d: At most min(N, C).
        eps: How small a gap has to be, as a share of l_1, to be damped.

    Returns:
        (B,), between 0 and min(d, k).
    """
    overlap: Tensor = _SubspaceOverlap.apply(tokens, basis, d, eps)
    return overlap


class _SubspaceOverlap(torch.autograd.Function):  # type: ignore[misc]  # torch is not followed
    """The overlap; its gradient is a first-order perturbation of the subspace."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, basis: Tensor, d: int, eps: float) -> Tensor:
        left, values, right = directions_of(tokens)
        shared = basis.mT @ right  # (B, k, n)
        ctx.save_for_backward(left, values, right, basis, shared)
        ctx.d, ctx.eps = d, eps
        return shared[..., :d].square().sum((1, 2))

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        left, values, right, basis, shared = ctx.saved_tensors
        inside, outside = slice(None, ctx.d), slice(ctx.d, None)
        squares = values.square()
        damping = (ctx.eps * squares[:, :1]).square()
        # K (B, d, n - d): how much V_i gains by turning towards V_j, over their gap.
        gaps = squares[:, inside, None] - squares[:, None, outside]
        gain = shared[..., inside].mT @ shared[..., outside]
        turned = gain * _damped_inverse(gaps, damping[..., None])
        # The same towards all that no direction of the image spans, whose l_j is 0.
        missing = basis @ shared[..., inside]
        missing = missing - right @ (right.mT @ missing)
        missing = missing * _damped_inverse(squares[:, inside], damping)[:, None]
        # dV_i comes from s_i u_i dX v_j and s_j u_j dX v_i.
        scaled = left * values[:, None]
        towards = missing + right[..., outside] @ turned.mT  # (B, C, d)
        found = scaled[..., inside] @ towards.mT
        found = found + scaled[..., outside] @ turned.mT @ right[..., inside].mT
        return 2 * grad[:, None, None] * found, None, None, None


def _damped_inverse(gaps: Tensor, damping: Tensor) -> Tensor:
    """Return ``g / (g^2 + damping)``; 0 where both are 0."""
    whole = gaps.square() + damping
    return (gaps / whole).where(whole > 0, 0)
