"""Accumulate means and centred products batch by batch without cancellation."""

import torch
from torch import Tensor


class CurveMoments:
    """Mean and population standard deviation of curves, point by point.

    Deviations are summed about the mean so far (Chan, Golub and LeVeque 1979): the difference
    of raw sums would give equal curves a spread of 1e-8.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = torch.zeros(0, dtype=torch.float64)
        self._squares = torch.zeros(0, dtype=torch.float64)

    def update(self, curves: Tensor) -> None:
        """Add curves, (B, K).

        Raises:
            ValueError: If K differs from that of earlier curves.
        """
        if not len(curves):
            return
        curves = curves.double()
        mean = curves.mean(0)
        squares = (curves - mean).square_().sum(0)
        self._add(len(curves), mean.cpu(), squares.cpu())

    def merge(self, other: 'CurveMoments') -> None:
        """Add the curves that another process has added to its own.

        Raises:
            ValueError: If K differs.
        """
        if other.count:
            self._add(other.count, other._mean, other._squares)

    @property
    def mean(self) -> list[float]:
        """Mean of the curves, K numbers."""
        mean: list[float] = self._mean.tolist()
        return mean

    @property
    def std(self) -> list[float]:
        """Standard deviation of the curves, K numbers."""
        std: list[float] = (self._squares / max(self.count, 1)).sqrt().tolist()
        return std

    def _add(self, count: int, mean: Tensor, squares: Tensor) -> None:
        if not self.count:
            self._mean, self._squares = torch.zeros_like(mean), torch.zeros_like(squares)
        if mean.shape != self._mean.shape:
            raise ValueError(
                f'curves of {len(self._mean)} and of {len(mean)} points have no mean: all '
                'images need the same number of tokens and channels.'
            )
        total = self.count + count
        step = mean - self._mean
        self._squares = self._squares + squares + step.square() * (self.count * count / total)
        self._mean = self._mean + step * (count / total)
        self.count = total


class CentredProducts:
    """Sum over rows of ``(x - mean of x)^T (y - mean of y)``, and the means, in float64.

    Computed about the means so far, as in ``CurveMoments``: no precision is lost to a mean
    that carries most of the energy, as that of a block's output may.

    Attributes:
        count: Rows so far.
        mean_x: (D_x,).
        mean_y: (D_y,).
        products: (D_x, D_y).
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean_x = self.mean_y = torch.zeros(0, dtype=torch.float64)
        self.products = torch.zeros(0, 0, dtype=torch.float64)

    def update(self, x: Tensor, y: Tensor) -> None:
        """Add rows that belong together, (R, D_x) and (R, D_y).

        Raises:
            ValueError: If a width differs from that of earlier rows.
        """
        if not len(x):
            return
        same = x is y
        x = x.double()
        y = x if same else y.double()
        mean_x, mean_y = x.mean(0), y.mean(0)
        left = x - mean_x
        right = left if same else y - mean_y
        self._add(len(x), mean_x, mean_y, left.mT @ right)

    def merge(self, other: 'CentredProducts') -> None:
        """Add the rows of another one.

        Raises:
            ValueError: If a width differs.
        """
        if other.count:
            self._add(other.count, other.mean_x, other.mean_y, other.products)

    def _add(self, count: int, mean_x: Tensor, mean_y: Tensor, products: Tensor) -> None:
        if not self.count:
            self.mean_x, self.mean_y = torch.zeros_like(mean_x), torch.zeros_like(mean_y)
            self.products = torch.zeros_like(products)
        if products.shape != self.products.shape:
            raise ValueError(
                f'found features of widths {tuple(products.shape)} after widths '
                f'{tuple(self.products.shape)}: they must be the same throughout.'
            )
        total = self.count + count
        step_x, step_y = mean_x - self.mean_x, mean_y - self.mean_y
        between = torch.outer(step_x, step_y) * (self.count * count / total)
        self.products = self.products + products + between
        self.mean_x = self.mean_x + step_x * (count / total)
        self.mean_y = self.mean_y + step_y * (count / total)
        self.count = total
