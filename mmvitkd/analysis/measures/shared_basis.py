"""Fit the dataset's directions, which PCA and rotation share."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..functional.principal_components import PCABasis, SecondMoment
from .block import Batch
from .settings import Settings


class SharedBasis:
    """Fits the basis of a block's tokens once for all measures.

    With ``held_out`` it is fitted to every second image, and the others are projected on it.

    Args:
        settings: The settings of the analysis.
    """

    def __init__(self, settings: Settings) -> None:
        self._held_out, self._centered = settings.held_out, settings.centered
        self._moment: SecondMoment | None = SecondMoment()
        self._basis: PCABasis | None = None
        self._last: Sequence[int] = ()  # places of the images that were added last

    def update(self, batch: Batch) -> None:
        """Add a batch, unless another measure has added it."""
        if batch.places != self._last and self._moment is not None:
            self._moment.update(self._rows(batch, 0, batch.tokens))
        self._last = batch.places

    @property
    def basis(self) -> PCABasis:
        """The directions; the first access ends the fit."""
        if self._moment is not None:
            self._basis, self._moment = self._moment.basis(self._centered), None
        assert self._basis is not None
        return self._basis

    def projected(self, batch: Batch) -> tuple[Tensor, list[int]]:
        """Return the float64 tokens of the images that are projected, and their places."""
        places = [place for place in batch.places if not self._held_out or place % 2 == 1]
        return self._rows(batch, 1, batch.double), places

    def num_projected(self, num_images: int) -> int:
        """Return how many of all images are projected."""
        return num_images // 2 if self._held_out else num_images

    def _rows(self, batch: Batch, half: int, tokens: Tensor) -> Tensor:
        if not self._held_out:
            return tokens
        mask = torch.tensor([place % 2 == half for place in batch.places])
        return tokens[mask.to(tokens.device)]


def min_images(settings: Settings) -> int:
    """Return the minimum number of images: with ``held_out`` 2 to fit and 2 to project."""
    return 4 if settings.held_out else 2


def held_out_warnings(report: Mapping[str, Any]) -> list[str]:
    """State which images PCA and rotation use with ``held_out``, and warn if they are few."""
    total = report['num_images']
    facts: list[str] = []
    for key, block in report['blocks'].items():
        of_basis = block.get('pca') or block.get('rotation') or {}
        if not of_basis.get('held_out'):
            continue
        projected = of_basis['num_images']
        fitted = total - projected
        if not facts:
            facts.append(
                f'PCA and rotation: {projected} of {total} images, projected on the directions '
                f'of the other {fitted}. All other measures: all {total} images.'
            )
        tokens = fitted * block['num_tokens']
        if tokens < block['embed_dims']:
            name = f'block {key}' if key.isdigit() else key
            facts.append(
                f'**The directions of {name} are fitted to {tokens} tokens, fewer than its '
                f'{block["embed_dims"]} channels**: the remaining ones are arbitrary, and '
                'dimensions that reach them mean nothing. Use more images.'
            )
    return facts
