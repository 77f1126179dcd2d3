"""Compute the singular values of each image's tokens: energy dimensions, effective rank."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .energy_shares import ENERGY_THRESHOLDS, EnergyShares
from .summary import summary_of


def singular_values(features: Tensor) -> Tensor:
    """Return the singular values of each image's N x D matrix, uncentred.

    They are the square roots of the eigenvalues of the smaller Gram matrix, n x n, in float64,
    which is several times as fast as a decomposition with vectors. The squared values are
    accurate to ``n * eps`` of the largest (1e-13 at n = 400), and smaller ones are set to 0,
    as in ``torch.linalg.matrix_rank``. So a value below 5e-7 of the largest may be returned
    as 0; the rounding errors of float32 features are of that size.

    Args:
        features: Patch tokens, (B, N, D).

    Returns:
        float64, descending, (B, n) with n = min(N, D).
    """
    features = features.double()
    short = features if features.shape[1] <= features.shape[2] else features.mT
    squared = torch.linalg.eigvalsh(short @ short.mT).flip(-1)
    noise = squared.shape[-1] * torch.finfo(squared.dtype).eps * squared[:, :1]
    return squared.where(squared > noise, 0).sqrt()


def effective_rank(values: Tensor) -> Tensor:
    """Return the exponential of the entropy of ``s_k / sum s``.

    The effective rank of Roy and Vetterli, EUSIPCO 2007.

    Args:
        values: Singular values, not all 0, (..., n).

    Returns:
        Between 1 and n, (...,).

    Example:
        >>> effective_rank(torch.tensor([2.0, 2.0, 0.0])).item()
        2.0
    """
    shares = values / values.sum(-1, keepdim=True)
    return torch.special.entr(shares).sum(-1).exp()


def svd_dimensions(
    tokens: Tensor, thresholds: Sequence[float] = ENERGY_THRESHOLDS
) -> dict[str, Any]:
    """Count the directions of its own that hold each image's energy.

    Args:
        tokens: Patch tokens, (B, N, D).
        thresholds: Shares of an image's energy.

    Returns:
        See :meth:`SVDDimensions.result`.

    Raises:
        ValueError: If no image has any energy.

    Example:
        >>> import torch
        >>> from mmvitkd.analysis import svd_dimensions
        >>> directions = torch.eye(3, 64)  # every image lies in the same 3
        >>> found = svd_dimensions(torch.rand(5, 196, 3) @ directions)
        >>> len(found['dimensions']['0.99']), found['0.99']['p99'] <= 3
        (5, True)
    """
    measure = SVDDimensions(thresholds)
    measure.update(tokens)
    return measure.result()


class SVDDimensions:
    """How many directions of its own hold each image's energy (arXiv 2511.15572).

    Per image, the smallest d whose d largest singular values hold the share t of
    ``sum s_k^2``, uncentred; the published table is the 99th percentile over 1,000 images.
    The effective rank comes with it, from the same singular values.

    Args:
        thresholds: The shares t.
    """

    def __init__(self, thresholds: Sequence[float] = ENERGY_THRESHOLDS) -> None:
        self._shares = EnergyShares(thresholds)
        self._ranks: list[Tensor] = []

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D).

        Raises:
            ValueError: If min(N, D) differs from that of earlier images.
        """
        self.add(singular_values(features))

    def add(self, values: Tensor) -> None:
        """Add the ``singular_values`` of B images, (B, min(N, D)).

        Raises:
            ValueError: If min(N, D) differs from that of earlier images.
        """
        values = values.cpu()
        energies = values.square()
        self._shares.update(energies, energies.sum(1))
        self._ranks.append(effective_rank(values[values[:, 0] > 0]))

    def result(self) -> dict[str, Any]:
        """Return the result for the images so far.

        Returns:
            The result of ``EnergyShares`` for each image's own directions, and
            'effective_rank', the summary over the images.

        Raises:
            ValueError: If no image has any energy.
        """
        result = self._shares.result()
        return {**result, 'effective_rank': summary_of(torch.cat(self._ranks))}
