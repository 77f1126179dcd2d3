"""Dataset PCA: count the directions, shared by all images, that hold each image's energy."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .energy_shares import ENERGY_THRESHOLDS, EnergyShares
from .moments import CentredProducts


class PCABasis(NamedTuple):
    """Principal directions of a dataset's tokens, by descending energy.

    Attributes:
        eigvals: Mean energy of a token along each, (D,) float64.
        vectors: The directions as columns, (D, D) float64.
        mean: The mean token that was subtracted, (D,) float64; None for an uncentred basis.
    """

    eigvals: Tensor
    vectors: Tensor
    mean: Tensor | None

    @property
    def centered(self) -> bool:
        """Whether the dataset's mean token is subtracted."""
        return self.mean is not None

    def tokens(self, features: Tensor) -> Tensor:
        """Return features as float64, minus the mean token if the basis is centred."""
        features = features.double()
        return features if self.mean is None else features - self.mean.to(features.device)


class SecondMoment:
    """First phase: second moment ``C = (1/T) sum_i X_i^T X_i`` and mean of all T tokens.

    As published, the basis is fitted to the images that are then projected on it (arXiv
    2511.15572). To project unseen images, feed half of them here and the other half to
    ``PCADimensions``.
    """

    def __init__(self) -> None:
        self._products = CentredProducts()

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D).

        Raises:
            ValueError: If D differs from that of earlier images.
        """
        tokens = features.flatten(0, 1)
        self._products.update(tokens, tokens)

    def basis(self, centered: bool = False) -> PCABasis:
        """Return eigenvectors of the second moment, or of the covariance.

        Args:
            centered: Whether to subtract the mean token first. Published: False.

        Raises:
            ValueError: If there are no tokens.
        """
        count, mean = self._products.count, self._products.mean_x
        if not count:
            raise ValueError('nothing measured: a basis needs the tokens of 1 image or more.')
        moment = self._products.products / count
        if not centered:
            moment = moment + torch.outer(mean, mean)
        eigvals, vectors = torch.linalg.eigh(moment)
        return PCABasis(
            eigvals.flip(0).clamp(min=0), vectors.flip(1), mean if centered else None
        )


class PCADimensions:
    """Second phase: ``E_i(d) = ||X_i V_d||^2 / ||X_i||^2`` of each image (arXiv 2511.15572).

    Per image, the smallest d with ``E_i(d) >= t``. All D directions count, so that the
    shares are of the image's whole energy. With a centred basis the dataset's mean token is
    subtracted from ``X_i``.

    Args:
        basis: From ``SecondMoment``, on any device.
        thresholds: The shares t.
    """

    def __init__(
        self, basis: PCABasis, thresholds: Sequence[float] = ENERGY_THRESHOLDS
    ) -> None:
        self.basis = basis
        self._shares = EnergyShares(thresholds)

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D).

        Raises:
            ValueError: If D differs from that of the basis.
        """
        width = len(self.basis.eigvals)
        if features.shape[-1] != width:
            raise ValueError(
                f'features: found {features.shape[-1]} channels, wanted the {width} of the '
                'basis.'
            )
        tokens = self.basis.tokens(features)
        projected = tokens @ self.basis.vectors.to(tokens.device)
        self._shares.update(projected.square().sum(1), tokens.square().sum((1, 2)))

    def result(self) -> dict[str, Any]:
        """Return the result for the images so far.

        Returns:
            The result of ``EnergyShares`` for the dataset's directions; 'eigvals', mean energy
            of a token along each, descending; and 'centered'.

        Raises:
            ValueError: If no image has any energy.
        """
        return {
            **self._shares.result(),
            'eigvals': self.basis.eigvals.tolist(),
            'centered': self.basis.centered,
        }


def pca_dimensions(
    tokens: Tensor, centered: bool = False, thresholds: Sequence[float] = ENERGY_THRESHOLDS
) -> dict[str, Any]:
    """Count the directions, shared by all images, that hold each image's energy.

    As published, the directions are fitted to the same images.

    Args:
        tokens: Patch tokens, (B, N, D).
        centered: Whether to subtract the mean token first. Published: False.
        thresholds: Shares of an image's energy.

    Returns:
        See :meth:`PCADimensions.result`.

    Raises:
        ValueError: If no image has any energy.

    Example:
        >>> import torch
        >>> from mmvitkd.analysis import pca_dimensions
        >>> tokens = torch.zeros(2, 4, 8)
        >>> tokens[0, :, 0] = tokens[1, :, 1] = 1  # each image in a direction of its own
        >>> pca_dimensions(tokens)['0.99']['mean'] <= 2
        True
    """
    moment = SecondMoment()
    moment.update(tokens)
    measure = PCADimensions(moment.basis(centered), thresholds)
    measure.update(tokens)
    return measure.result()
