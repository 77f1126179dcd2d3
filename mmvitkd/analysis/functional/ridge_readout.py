"""Ridge readout: how much of a teacher's features a linear map of a student's explains."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .moments import CentredProducts, CurveMoments

# Of every five training images, the second chooses the ridge.
PERIOD, CHOOSER = 5, 1
# Ridges relative to the mean eigenvalue of the student's centred products.
RIDGES = tuple(10.0**power for power in range(-8, 3))
ROUNDING = 1e-24  # as in LinearCKA


class LinearMap(NamedTuple):
    """A linear map with a bias.

    Attributes:
        weight: (D_x, D_y) float64.
        mean_x: (D_x,); the bias maps it to ``mean_y``.
        mean_y: (D_y,).
    """

    weight: Tensor
    mean_x: Tensor
    mean_y: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Map rows (..., D_x) to (..., D_y), float64."""
        return (x.double() - self.mean_x) @ self.weight + self.mean_y


class _Products:
    """What a regression of rows y on rows x needs: centred X^T X and X^T Y, and the means."""

    def __init__(self) -> None:
        self.xx, self.xy = CentredProducts(), CentredProducts()
        self.y = CurveMoments()

    def update(self, x: Tensor, y: Tensor) -> None:
        self.xx.update(x, x)
        self.xy.update(x, y)
        self.y.update(y)

    def spread(self) -> float:
        """Return the sum of |y - mean of y|^2."""
        return self.y.count * sum(std**2 for std in self.y.std)

    def squared_error(self, linear: LinearMap) -> float:
        """Return the sum of |y - linear(x)|^2, from the products alone."""
        offset = linear(self.xx.mean_x) - self.xy.mean_y
        explained = 2 * (linear.weight * self.xy.products).sum()
        own = (linear.weight * (self.xx.products @ linear.weight)).sum()
        error = self.spread() - explained + own + self.xx.count * offset.square().sum()
        return max(float(error), 0.0)


class RidgeReadout:
    """R2 of a ridge regression from a student's tokens to a teacher's, on held-out images.

    One number that compares students whatever they were distilled by: their width, their
    projector and their target do not matter, only what a linear map with a bias can read out
    of them. 1 is all of the teacher's variance about its mean token, 0 none.

    The regression minimises ``sum |y - W x - b|^2 + ridge * e * |W|^2``, where e is the mean
    eigenvalue of the student's centred X^T X; b is not penalised. Each of ``ridges`` is fitted
    on four fifths of the training images; the one with the least error on every fifth image
    is fitted again on all of them. Held-out images choose nothing.

    Only sums over tokens are kept, in float64: D_x (D_x + D_y) for each part of the images.

    Args:
        ridges: The candidates, each above 0.

    Raises:
        ValueError: If there is none, or one is not above 0.

    Example:
        >>> import torch
        >>> from mmvitkd.analysis import RidgeReadout
        >>> readout = RidgeReadout()
        >>> x = torch.randn(10, 16, 8)
        >>> teacher = x @ torch.randn(8, 12) + 3
        >>> readout.fit(x[:8], teacher[:8])
        >>> readout.test(x[8:], teacher[8:])
        >>> round(readout.result()['r2'], 4)
        1.0
    """

    def __init__(self, ridges: Sequence[float] = RIDGES) -> None:
        if not ridges or min(ridges) <= 0:
            raise ValueError(f'ridges={ridges!r}: wanted one or more numbers above 0.')
        self._ridges = tuple(ridges)
        self._fit, self._choose, self._test = _Products(), _Products(), _Products()
        self._num_images = 0

    def fit(self, student: Tensor, teacher: Tensor) -> None:
        """Add training images.

        Args:
            student: (B, N, D_x).
            teacher: (B, N, D_y), tokens of the same places; (B, 1, D) for embeddings.

        Raises:
            ValueError: If they do not belong together, or a width differs from before.
        """
        _check(student, teacher)
        numbers = torch.arange(self._num_images, self._num_images + len(student))
        chosen = (numbers % PERIOD == CHOOSER).to(student.device)
        self._num_images += len(student)
        for products, part in ((self._fit, ~chosen), (self._choose, chosen)):
            products.update(student[part].flatten(0, 1), teacher[part].flatten(0, 1))

    def test(self, student: Tensor, teacher: Tensor) -> None:
        """Add held-out images, as :meth:`fit` takes them."""
        _check(student, teacher)
        self._test.update(student.flatten(0, 1), teacher.flatten(0, 1))

    def result(self) -> dict[str, float]:
        """Return the result for the images so far.

        Returns:
            'r2', ``1 - sum |y - W x - b|^2 / sum |y - m|^2`` over the held-out tokens, where m
            is their own mean; 'ridge', the candidate that was chosen; 'train_tokens' and
            'tokens', their numbers.

        Raises:
            ValueError: If there are fewer than two training images or no held-out ones, or all
                rows of a model are the same.
        """
        if self._num_images < 2 or not self._test.xx.count:
            raise ValueError(
                f'found {self._num_images} training images and {self._test.xx.count} held-out '
                'tokens, wanted 2 images or more, and 1 token or more.'
            )
        spread = self._test.spread()
        energy = spread + self._test.y.count * float(self._test.xy.mean_y.square().sum())
        if spread <= ROUNDING * energy:
            raise ValueError(
                f'teacher: all {self._test.y.count} held-out rows are the same: nothing to '
                'explain.'
            )
        path = _RidgePath(self._fit)
        errors = [self._choose.squared_error(path.solve(ridge)) for ridge in self._ridges]
        ridge = self._ridges[errors.index(min(errors))]
        linear = self.linear_map(ridge)
        return {
            'r2': 1 - self._test.squared_error(linear) / spread,
            'ridge': ridge,
            'train_tokens': self._fit.xx.count + self._choose.xx.count,
            'tokens': self._test.xx.count,
        }

    def linear_map(self, ridge: float) -> LinearMap:
        """Return the map that is fitted on all training images with a ridge.

        Raises:
            ValueError: If all rows of the student are the same.
        """
        whole = _Products()
        for part in (self._fit, self._choose):
            whole.xx.merge(part.xx)
            whole.xy.merge(part.xy)
        return _RidgePath(whole).solve(ridge)


class _RidgePath:
    """Solves a ridge regression for several ridges with one eigendecomposition."""

    def __init__(self, products: _Products) -> None:
        self._mean_x, self._mean_y = products.xx.mean_x, products.xy.mean_y
        energy = float(products.xx.products.trace())
        if energy <= ROUNDING * products.xx.count * float(self._mean_x.square().sum()):
            raise ValueError(
                f'student: all {products.xx.count} rows are the same: nothing to read out.'
            )
        values, self._vectors = torch.linalg.eigh(products.xx.products)
        self._values = values.clamp(min=0)
        self._scale = self._values.mean()
        self._projected = self._vectors.mT @ products.xy.products

    def solve(self, ridge: float) -> LinearMap:
        shrunk = self._projected / (self._values + ridge * self._scale)[:, None]
        return LinearMap(self._vectors @ shrunk, self._mean_x, self._mean_y)


def _check(student: Tensor, teacher: Tensor) -> None:
    if student.dim() != 3 or student.shape[:2] != teacher.shape[:2]:
        raise ValueError(
            f'student and teacher: found {tuple(student.shape)} and {tuple(teacher.shape)}, '
            'wanted (B, N, D) with the same B and N.'
        )
