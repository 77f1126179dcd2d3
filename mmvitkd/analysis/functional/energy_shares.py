"""Count the directions that hold a share of each image's energy, summarised over images."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .moments import CurveMoments
from .summary import dimension, summary_of

# The shares of an image's energy for which arXiv 2511.15572 gives dimensions.
ENERGY_THRESHOLDS = (0.80, 0.90, 0.95, 0.99)


class EnergyShares:
    """Curves of cumulative energy over ordered directions, and the dimensions read from them.

    Args:
        thresholds: Shares of an image's energy.
    """

    def __init__(self, thresholds: Sequence[float] = ENERGY_THRESHOLDS) -> None:
        self.thresholds = tuple(thresholds)
        self._dimensions: list[Tensor] = []  # (B, thresholds) each
        self._curves = CurveMoments()
        self._zero_images = 0

    def update(self, energies: Tensor, totals: Tensor) -> None:
        """Add B images.

        Args:
            energies: Energy along each direction, (B, K).
            totals: Energy of each image, (B,). Images without energy have no shares: they
                are counted and left out.

        Raises:
            ValueError: If K differs from that of earlier images.
        """
        energies, totals = energies.cpu(), totals.cpu()
        nonzero = totals > 0
        curves = energies[nonzero].cumsum(1) / totals[nonzero, None]
        self._curves.update(curves)
        self._zero_images += len(totals) - len(curves)
        dimensions = [dimension(curves, threshold) for threshold in self.thresholds]
        self._dimensions.append(torch.stack(dimensions, dim=1))

    def result(self) -> dict[str, Any]:
        """Return the result for the images so far.

        Returns:
            For each threshold ('0.80') the summary of the images' dimensions; 'dimensions',
            those of each image, by threshold; 'curve' and 'std', mean and standard deviation
            over the images of the share held by the first 1, 2, ... K directions;
            'zero_images', how many were left out.

        Raises:
            ValueError: If no image has any energy.
        """
        if not self._curves.count:
            raise ValueError(
                f'nothing measured: of {self._zero_images} images, none has any energy.'
            )
        columns = torch.cat(self._dimensions).unbind(1)
        images = {
            f'{threshold:.2f}': column
            for threshold, column in zip(self.thresholds, columns, strict=True)
        }
        return {
            **{key: summary_of(column) for key, column in images.items()},
            'dimensions': {key: column.tolist() for key, column in images.items()},
            'curve': self._curves.mean,
            'std': self._curves.std,
            'zero_images': self._zero_images,
        }
