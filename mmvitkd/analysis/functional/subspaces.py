"""Subspaces of images' tokens, and the principal angles between them."""

from typing import Any

import torch
from torch import Tensor

from .summary import summary_of


def top_subspaces(tokens: Tensor, d: int) -> tuple[Tensor, Tensor]:
    """Return orthonormal bases of the d leading right singular vectors.

    Args:
        tokens: float64, (B, N, D).
        d: At most min(N, D).

    Returns:
        The bases, (B, D, d), and whether each image has d nonzero singular values, (B,); if
        it does not, its basis is arbitrary.
    """
    num_tokens, width = tokens.shape[1:]
    short = tokens if num_tokens <= width else tokens.mT
    eigvals, vectors = torch.linalg.eigh(short @ short.mT)
    noise = eigvals.shape[-1] * torch.finfo(eigvals.dtype).eps * eigvals[:, -1]
    bases = vectors[..., -d:].flip(-1)
    if num_tokens <= width:
        # These are left singular vectors; QR restores the orthonormality lost to rounding.
        bases = torch.linalg.qr(tokens.mT @ bases).Q
    return bases, eigvals[:, -d] > noise


def cosines_between(first: Tensor, second: Tensor) -> Tensor:
    """Return the cosines of the principal angles between subspaces.

    Args:
        first: Orthonormal bases, (P, D, d).
        second: Likewise.

    Returns:
        On the CPU, descending, in [0, 1], (P, d).
    """
    return torch.linalg.svdvals((first.mT @ second).cpu()).clamp(max=1)


def angle_summary(cosines: Tensor) -> dict[str, Any]:
    """Summarise angles and overlaps of pairs of subspaces.

    Args:
        cosines: Cosines of their principal angles, descending, (P, d).

    Returns:
        'angles', the 'mean' and 'std' of each principal angle in degrees, the smallest first;
        'overlaps', the mean squared cosine of each pair, 1 where the subspaces are the same
        and 0 where they are orthogonal; 'overlap', its summary.
    """
    degrees = cosines.acos().rad2deg()
    overlaps = cosines.square().mean(1)
    return {
        'angles': {
            'mean': degrees.mean(0).tolist(),
            'std': degrees.std(0, correction=0).tolist(),
        },
        'overlap': summary_of(overlaps),
        'overlaps': overlaps.tolist(),
    }
