"""Measure the entropy of a token's values, with bins that all blocks and images share."""

import math
from typing import Any

import torch
from torch import Tensor

from .per_image import PerImage


def token_entropy(tokens: Tensor, bins: int = 100) -> dict[str, Any]:
    """Return the entropy in bits of the values in a token, summarised over images.

    Args:
        tokens: Patch tokens, (B, N, C); the bins lie between their extremes.
        bins: Number of equal bins.

    Returns:
        See :meth:`TokenEntropy.result`.

    Raises:
        ValueError: If there are no images, or a value is not finite.

    Example:
        >>> import torch
        >>> from mmvitkd.analysis import token_entropy
        >>> tokens = torch.tensor([0.0, 1.0]).repeat(1, 1, 4)  # half of the values each
        >>> token_entropy(tokens)['mean']
        1.0
    """
    values = ValueRange()
    values.update(tokens)
    measure = TokenEntropy(**values.result(), bins=bins)
    measure.update(tokens)
    return measure.result()


class ValueRange:
    """Smallest and largest value of features: the range of ``TokenEntropy``'s histogram.

    Attributes:
        low: Smallest value; infinity before the first update.
        high: Largest value; minus infinity before the first update.
    """

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf

    def update(self, features: Tensor) -> None:
        """Add the features of B images of any block, (B, N, C)."""
        if len(features):
            low, high = torch.stack(features.aminmax()).tolist()
            self.low, self.high = min(self.low, low), max(self.high, high)

    def result(self) -> dict[str, float]:
        """Return 'low' and 'high'.

        Raises:
            ValueError: If there are no images.
        """
        if self.low > self.high:
            raise ValueError('nothing measured: ValueRange has no image.')
        return {'low': self.low, 'high': self.high}


class TokenEntropy(PerImage):
    """Shannon entropy in bits of the distribution of each token's C values.

    The histogram has equal bins between the smallest and the largest value of all blocks and
    images (``ValueRange``); entropies are averaged over tokens (arXiv 2511.06848). All images
    have the same number of tokens, so the mean over images is the mean over all tokens.

    The bins are exactly those of ``numpy.histogram(token, bins, (low, high))``: closed on the
    left, the last one on both sides, with edges rounded to the dtype of the features (float32
    for half precision). Values outside the range count in the outermost bins, where numpy
    would drop them: a second forward pass may differ by rounding.

    Args:
        low: Smallest value, finite.
        high: Largest value, at least low; if equal, the range is 0.5 to either side.
        bins: Number of equal bins between them.

    Raises:
        ValueError: If a value is not finite, high is below low, or bins is below 1.
    """

    def __init__(self, low: float, high: float, bins: int = 100) -> None:
        super().__init__()
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(f'low={low}, high={high}: wanted finite low <= high.')
        if bins < 1:
            raise ValueError(f'bins={bins}: wanted 1 or more.')
        self.low, self.high, self.bins = float(low), float(high), bins
        self._edges = _edges(self.low, self.high, bins)

    def values_of(self, features: Tensor) -> Tensor:
        """Return the mean entropy of each image's tokens, (b,)."""
        tokens = features if features.dtype == torch.float64 else features.float()
        counts = self.counts_of(tokens.flatten(0, 1))
        entropies = torch.special.entr(counts.double() / tokens.shape[2]).sum(1)
        return entropies.view(tokens.shape[:2]).mean(1) / math.log(2)

    def counts_of(self, tokens: Tensor) -> Tensor:
        """Return the histograms of tokens.

        Args:
            tokens: float32 or float64, (T, C).

        Returns:
            Number of values in each bin, (T, bins).
        """
        edges = self._edges.to(tokens)
        low, high = edges[0], edges[-1]
        tokens = tokens.clamp(low, high)
        # Estimate by division, then correct by the edges, as numpy does: twice as fast as a
        # search among the edges.
        bins = ((tokens - low) * (self.bins / (high - low))).long().clamp_(0, self.bins - 1)
        bins -= (tokens < edges[bins]).long()
        bins += ((tokens >= edges[bins + 1]) & (bins < self.bins - 1)).long()
        counts = torch.zeros(len(tokens), self.bins, device=tokens.device)
        return counts.scatter_add_(1, bins, torch.ones_like(counts[:1, :1]).expand_as(bins))


def _edges(low: float, high: float, bins: int) -> Tensor:
    """Return the bins' edges, as ``numpy.linspace`` rounds them: float64, (bins + 1,)."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    return torch.arange(bins + 1, dtype=torch.float64) * ((high - low) / bins) + low
