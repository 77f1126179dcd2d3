"""The measures of one layer that are worth following through a training."""

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor

from ..functional.sep import MODES, SEP
from ..functional.singular_values import SVDDimensions

SHARE = 0.99


class LayerMeasures:
    """SEP in both modes, effective rank, and the dimension of 99 % of an image's energy.

    See ``SEP`` for how little SEP says without a null, and ``SVDDimensions`` for the others
    (arXiv 2511.15572).
    """

    def __init__(self) -> None:
        self._sep = {mode: SEP(mode) for mode in MODES}
        self._svd = SVDDimensions((SHARE,))

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D).

        Raises:
            ValueError: If they are not finite, or not of the shape of the images before.
        """
        if not features.isfinite().all():
            raise ValueError('features: some are NaN or infinite.')
        for sep in self._sep.values():
            sep.update(features)
        self._svd.update(features)

    def merge(self, other: Self) -> None:
        """Add the images of another, after one's own.

        Raises:
            ValueError: If their shapes differ.
        """
        for mode, sep in self._sep.items():
            sep.merge(other._sep[mode])
        self._svd.merge(other._svd)

    def result(self) -> dict[str, Any]:
        """What the images so far came to.

        Returns:
            'sep', of each mode what ``SEP`` gives, and 'svd', what ``SVDDimensions`` gives.

        Raises:
            ValueError: If no token has any energy.
        """
        sep = {mode: sep.result() for mode, sep in self._sep.items()}
        return {'sep': sep, 'svd': self._svd.result()}


def bandwidth_scalars(sep: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The bandwidths of each mode as ``full_b50`` .. ``folded_b90``.

    Args:
        sep: By mode, what ``SEP`` gives.
    """
    return {
        f'{mode}_b{round(100 * float(threshold))}': bandwidth
        for mode, found in sep.items()
        for threshold, bandwidth in found['bandwidth'].items()
    }


def layer_scalars(result: Mapping[str, Any]) -> dict[str, float]:
    """What :meth:`LayerMeasures.result` gives, as scalars with short names.

    Returns:
        The bandwidths; ``effective_rank``, the images' mean; of the 99 % dimension ``svd99``,
        the mean, and ``svd99_p99``, the 99th percentile as the paper's table has it.
    """
    dimensions = result['svd'][f'{SHARE:.2f}']
    return {
        **bandwidth_scalars(result['sep']),
        'effective_rank': result['svd']['effective_rank']['mean'],
        'svd99': dimensions['mean'],
        'svd99_p99': dimensions['p99'],
    }
