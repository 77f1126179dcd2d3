"""Linear CKA: how similar two models' or blocks' features of the same images are."""

from itertools import combinations_with_replacement
from typing import Any

import torch
from torch import Tensor

from .moments import CentredProducts

ROWS = ('tokens', 'images')
# Relative energy that rounding may leave about the mean of identical rows.
ROUNDING = 1e-24


def linear_cka(first: Tensor, second: Tensor, rows: str = 'tokens') -> float:
    """Return linear CKA between two models' features of the same images.

    Args:
        first: Patch tokens, (B, N, D).
        second: Patch tokens, (B, N', D'); N' must be N unless rows is 'images'.
        rows: 'tokens', or 'images' to compare the mean tokens.

    Raises:
        ValueError: If the features do not match, or all rows of one are the same.

    Example:
        >>> import torch
        >>> from mmvitkd.analysis import linear_cka
        >>> tokens = torch.randn(8, 16, 32)
        >>> rotation = torch.linalg.qr(torch.randn(32, 32)).Q
        >>> round(linear_cka(tokens, 3 * tokens @ rotation), 4)
        1.0
    """
    measure = LinearCKA(rows)
    measure.update(first, second)
    found: float = measure.result()['cka']
    return found


class LinearCKA:
    """Linear centred kernel alignment between feature sources.

    As defined by Kornblith et al. 2019 (arXiv 1905.00414, table 1, "CKA (Linear)"), with
    columns centred::

        ||Y^T X||_F^2 / (||X^T X||_F ||Y^T Y||_F)

    It lies between 0 and 1, and is invariant to rotation and scaling of all channels. Only
    D x D' sums are kept, not the features.

    With few rows relative to the channels, CKA is high for any features. The null is its
    exact expectation when the rows of one source are shuffled. It treats rows as
    exchangeable; the tokens of an image are similar, so for 'tokens' it is a lower bound.

    Args:
        rows: The rows of X and Y: 'tokens', for which the sources need the same grid, or
            'images', the mean token of each.

    Raises:
        ValueError: If rows is neither.
    """

    def __init__(self, rows: str = 'tokens') -> None:
        if rows not in ROWS:
            raise ValueError(f'rows={rows!r}: wanted one of {ROWS}.')
        self.rows = rows
        self._products: dict[tuple[int, int], CentredProducts] = {}

    def update(self, *features: Tensor) -> None:
        """Add the patch tokens of B images from every source.

        Args:
            *features: (B, N, D) of two sources or more, always in the same order; D may
                differ, and so may N if rows is 'images'.

        Raises:
            ValueError: If the sources do not match each other, or those before.
        """
        if len(features) < 2:
            raise ValueError(f'features: found {len(features)} source, wanted 2 or more.')
        sources = [self._rows_of(source, features[0]) for source in features]
        pairs = list(combinations_with_replacement(range(len(sources)), 2))
        if not self._products:
            self._products = {pair: CentredProducts() for pair in pairs}
        if len(pairs) != len(self._products):
            raise ValueError(
                f'features: found {len(sources)} sources, wanted {self.num_sources} as before.'
            )
        for i, j in pairs:
            self._products[i, j].update(sources[i], sources[j])

    @property
    def num_sources(self) -> int:
        """Number of sources; 0 before the first update."""
        return 1 + max((j for _, j in self._products), default=-1)

    def result(self) -> dict[str, Any]:
        """Return the result for the images so far.

        Returns:
            'rows' and 'num_rows'; 'cka' of the first two sources; 'matrix', CKA between all
            of them, and 'null', its value for shuffled rows, (sources, sources) each.

        Raises:
            ValueError: If there are no images, or all rows of a source are the same.
        """
        if not self._products:
            raise ValueError('nothing measured: CKA needs the features of 2 rows or more.')
        size = self.num_sources
        count = self._products[0, 0].count
        norms, traces = zip(*(self._spread(source) for source in range(size)), strict=True)
        matrix = [[1.0] * size for _ in range(size)]
        null = [[1.0] * size for _ in range(size)]
        for (i, j), products in self._products.items():
            scale = norms[i] * norms[j]
            cross = products.products.square().sum().item()
            matrix[i][j] = matrix[j][i] = cross / scale
            null[i][j] = null[j][i] = traces[i] * traces[j] / (count - 1) / scale
        return {
            'rows': self.rows,
            'num_rows': count,
            'cka': matrix[0][1],
            'matrix': matrix,
            'null': null,
        }

    def _rows_of(self, source: Tensor, first: Tensor) -> Tensor:
        if len(source) != len(first):
            raise ValueError(
                f'features: found {len(first)} images of one source and {len(source)} of '
                'another: wanted the same images.'
            )
        if self.rows == 'images':
            return source.double().mean(1)
        if source.shape[1] != first.shape[1]:
            raise ValueError(
                f'features: found {first.shape[1]} tokens of one source and '
                f"{source.shape[1]} of another: rows='tokens' needs as many of each; "
                "rows='images' compares their means."
            )
        return source.double().flatten(0, 1)

    def _spread(self, source: int) -> tuple[float, float]:
        """Return Frobenius norm and trace of a source's centred products with itself."""
        own = self._products[source, source]
        trace = own.products.trace().item()
        energy = trace + own.count * own.mean_x.square().sum().item()
        if trace <= ROUNDING * energy:
            raise ValueError(
                f'source {source} has the same row in all {own.count} {self.rows}: CKA has '
                'no value.'
            )
        return torch.linalg.matrix_norm(own.products).item(), trace
