"""Base class of measures that are one number per image, summarised over images."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from .chunking import chunk_images
from .summary import summary_of


class PerImage(ABC):
    """Accumulates one number per image, usually a mean over its tokens."""

    def __init__(self) -> None:
        self._values: list[Tensor] = []

    @abstractmethod
    def values_of(self, features: Tensor) -> Tensor:
        """Return the numbers of b images, without those that have none.

        Args:
            features: Patch tokens, (b, N, D).

        Returns:
            At most (b,).
        """

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D)."""
        for chunk in chunk_images(features):
            self._values.append(self.values_of(chunk).to('cpu', torch.float64))

    def result(self) -> dict[str, Any]:
        """Return the summary over the images: 'mean', 'std', 'median', 'q25', 'q75', 'p99'.

        Raises:
            ValueError: If no image has a number.
        """
        if not sum(map(len, self._values)):
            raise ValueError(f'nothing measured: {type(self).__name__} has no image.')
        return summary_of(torch.cat(self._values))
