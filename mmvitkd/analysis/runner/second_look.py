"""The measures of one block that need the whole set first, and what they need of it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..functional.entropy import TokenEntropy, ValueRange
from ..functional.pca import PCABasis, PCADimensions, SecondMoment
from ..functional.rotation import SubspaceRotation
from .settings import Settings

# Published nowhere; see SubspaceRotation.
ROTATION_DIMS, NUM_PAIRS = 10, 500


def rotation_dims(num_tokens: int, embed_dims: int) -> int:
    """Dimension of the subspaces that are compared: 10, or what the tokens can have."""
    return min(ROTATION_DIMS, num_tokens, embed_dims)


class WholeSet:
    """What the second look needs of all images: second moment, and range of the values.

    Args:
        settings: Has the measures, and which images a basis is fitted to.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._moment = SecondMoment() if settings.basis else None
        self.range = ValueRange() if 'entropy' in settings.measures else None

    def update(self, features: Tensor, places: Sequence[int]) -> None:
        """Add the patch tokens (B, N, D) of images at these places among those read."""
        if self._moment is not None:
            self._moment.update(_rows(features, map(self._settings.fits_basis, places)))
        if self.range is not None:
            self.range.update(features)

    def basis(self) -> PCABasis | None:
        """The directions of all images, or None where no measure needs them."""
        if self._moment is None:
            return None
        return self._moment.basis(self._settings.centered)


class SecondLook:
    """Dataset PCA, subspace rotation and token entropy.

    Args:
        settings: Has the measures.
        num_images: How many were read.
        basis: Of ``WholeSet``.
        value_range: Of all blocks.
    """

    def __init__(
        self,
        settings: Settings,
        num_images: int,
        basis: PCABasis | None,
        value_range: ValueRange | None,
    ) -> None:
        self._settings, self._basis = settings, basis
        self._judged = [p for p in range(num_images) if settings.judged_by_basis(p)]
        self._numbers = {place: number for number, place in enumerate(self._judged)}
        self._pca: PCADimensions | None = None
        self._rotation: SubspaceRotation | None = None
        self._entropy: TokenEntropy | None = None
        if basis is not None and 'pca' in settings.measures:
            self._pca = PCADimensions(basis)
        if value_range is not None:
            self._entropy = TokenEntropy(value_range.low, value_range.high)

    def update(self, features: Tensor, places: Sequence[int]) -> None:
        """Add the patch tokens (B, N, D) of images at these places among those read."""
        if self._entropy is not None:
            self._entropy.update(features)
        judged = _rows(features, map(self._settings.judged_by_basis, places))
        if self._basis is None or not len(judged):
            return
        judged = judged.double()
        if self._pca is not None:
            self._pca.update(judged)
        if 'rotation' in self._settings.measures:
            if self._rotation is None:
                self._rotation = self._new_rotation(*judged.shape[1:])
            numbers = [self._numbers[place] for place in places if place in self._numbers]
            self._rotation.update(judged, numbers)

    def result(self) -> dict[str, Any]:
        """Their part of the block's entry in the report.

        Raises:
            ValueError: If a measure has no value; names it.
        """
        streams = dict(pca=self._pca, rotation=self._rotation, entropy=self._entropy)
        entry = {}
        for name, stream in streams.items():
            try:
                if stream is not None:
                    entry[name] = stream.result()
            except ValueError as error:
                raise ValueError(f'{name}: {error}') from None
        if self._entropy is not None:
            bins = self._entropy
            entry['entropy'] |= dict(low=bins.low, high=bins.high, bins=bins.bins)
        for name in entry.keys() & {'pca', 'rotation'}:
            entry[name] |= dict(held_out=self._settings.held_out, num_images=len(self._judged))
        return entry

    def _new_rotation(self, num_tokens: int, embed_dims: int) -> SubspaceRotation:
        return SubspaceRotation(
            len(self._judged),
            self._basis,
            rotation_dims(num_tokens, embed_dims),
            NUM_PAIRS,
            self._settings.seed,
        )


def _rows(features: Tensor, chosen: Any) -> Tensor:
    """The features of the images that are chosen; no copy where all are."""
    mask = torch.tensor([*chosen])
    return features if mask.all() else features[mask.to(features.device)]
