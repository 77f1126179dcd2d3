"""Permutation test, with a bootstrap: does the order of the channels matter to SEP?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .bootstrap import CONFIDENCE, bootstrap_interval
from .chunking import chunk_images
from .spectral_energy import check_mode, half_power, ordered_power
from .summary import dimension, summary_of
from .token_shares import BANDWIDTH_THRESHOLDS


class SEPPermutation:
    """SEP of the same tokens in random channel orders, as released with arXiv 2511.15572.

    A bandwidth is that of each image's curve, the mean over its tokens, and is averaged over
    the images, and of permuted channels also over the orders. (The bandwidth of the mean curve,
    as ``SEP`` has it, moves in steps of 1 / D, which all resamples of the images share.)

    The expected curve over all orders is known: the share of DC, the token's squared sum, is
    the same in any order, and all other frequencies have equal expected shares. So b_90 of
    the full spectrum is about 0.90, and b_50 about 0.5, for nearly any tokens. What the
    natural order contributes is 'change', the difference from it: report that one.

    There are two sources of chance. 'of_orders' and 'p_value' are over the orders, on all
    images: does the natural order differ from a random one? 'low' and 'high' of 'change' are
    the paired bootstrap over images, with the orders fixed: would other images give the same?

    Args:
        mode: 'full' or 'folded', see ``SEP``.
        thresholds: Shares of a token's energy.
        num_orders: Number of random orders; each costs an FFT of every token.
        num_resamples: Number of resamples of the bootstrap over images.
        seed: Seed of NumPy's ``default_rng`` for the orders; the resamples have ``seed + 1``.

    Raises:
        ValueError: If the mode is unknown, or a number is below 1.
    """

    def __init__(
        self,
        mode: str = 'full',
        thresholds: Sequence[float] = BANDWIDTH_THRESHOLDS,
        num_orders: int = 100,
        num_resamples: int = 1000,
        seed: int = 2026,
    ) -> None:
        check_mode(mode)
        if min(num_orders, num_resamples) < 1:
            raise ValueError(
                f'num_orders={num_orders}, num_resamples={num_resamples}: wanted 1 or more.'
            )
        self.mode, self.thresholds = mode, tuple(thresholds)
        self.num_orders, self.num_resamples, self.seed = num_orders, num_resamples, seed
        self._orders: list[Tensor] = []  # (D,) each, the natural one first
        # Summed over images: curves (orders, K) and their bandwidths (orders, thresholds).
        self._curves = self._of_orders = torch.zeros((), dtype=torch.float64)
        self._natural: list[Tensor] = []  # bandwidths of b images, (b, thresholds)
        self._permuted: list[Tensor] = []  # the same, averaged over the random orders
        self._num_tokens = self._zero_tokens = 0

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D).

        Raises:
            ValueError: If D differs from that of earlier images.
        """
        width = features.shape[-1]
        if not self._orders:
            self._draw_orders(width)
        if width != len(self._orders[0]):
            raise ValueError(
                f'features: found {width} channels, wanted {len(self._orders[0])} as before.'
            )
        for chunk in chunk_images(features):
            tokens = chunk.double()
            norms = torch.linalg.vector_norm(tokens, dim=-1, keepdim=True)
            nonzero = (norms > 0).sum((1, 2))
            self._num_tokens += int(nonzero.sum())
            self._zero_tokens += norms.numel() - int(nonzero.sum())
            # With unit length, the tokens' energies are shares, and may be summed.
            tokens = (tokens / norms.where(norms > 0, 1))[nonzero > 0]
            if len(tokens):
                self._add(tokens)

    def _draw_orders(self, width: int) -> None:
        generator = np.random.default_rng(self.seed)
        drawn = [generator.permutation(width) for _ in range(self.num_orders)]
        self._orders = [torch.arange(width), *map(torch.from_numpy, drawn)]

    def _add(self, tokens: Tensor) -> None:
        """Add images, (b, N, D), whose tokens have unit length or are zero."""
        orders = [order.to(tokens.device) for order in self._orders]
        half = torch.stack([half_power(tokens[..., order]).sum(1) for order in orders])
        curves = ordered_power(half, tokens.shape[-1], self.mode).cumsum(-1)
        curves = curves / curves[..., -1:]
        bandwidths = torch.stack([dimension(curves, t) for t in self.thresholds], dim=-1)
        bandwidths = bandwidths.double() / curves.shape[-1]  # (1 + orders, b, thresholds)
        self._curves = self._curves + curves.sum(1).cpu()
        self._of_orders = self._of_orders + bandwidths.sum(1).cpu()
        self._natural.append(bandwidths[0].cpu())
        self._permuted.append(bandwidths[1:].mean(0).cpu())

    def result(self) -> dict[str, Any]:
        """Return the result for the images so far.

        Returns:
            'curve', averaged over images and orders, and 'std' over the orders' curves. For
            each threshold ('0.80'): 'bandwidth' over images and orders, and 'd', the same in
            parts; 'natural', the summary over images of the bandwidth in the natural order;
            'of_orders', the summary over orders of the permuted one; 'p_value', two-sided, of
            the natural one among them; 'change', permuted minus natural: 'mean', and 'low'
            and 'high' of the bootstrap's interval. 'curve_l1', the summary over orders of the
            mean distance of the orders' curves from the natural one. Then 'confidence' of the
            interval, 'num_orders', 'num_resamples', 'seed', 'num_tokens' and 'zero_tokens'.

        Raises:
            ValueError: If no token has any energy.
        """
        if not self._num_tokens:
            raise ValueError(
                f'nothing measured: of {self._zero_tokens} tokens, none has any energy.'
            )
        natural, permuted = torch.cat(self._natural), torch.cat(self._permuted)
        own, *_ = curves = self._curves / len(natural)
        of_orders = self._of_orders[1:] / len(natural)
        bandwidth = permuted.mean(0)
        changes = permuted - natural
        ends = bootstrap_interval(changes, self.num_resamples, self.seed + 1)
        change = zip(changes.mean(0).tolist(), *ends, strict=True)
        return {
            'curve': curves[1:].mean(0).tolist(),
            'std': curves[1:].std(0, correction=0).tolist(),
            'd': self._keyed((bandwidth * len(own)).tolist()),
            'bandwidth': self._keyed(bandwidth.tolist()),
            'natural': self._keyed([summary_of(b) for b in natural.unbind(1)]),
            'of_orders': self._keyed([summary_of(b) for b in of_orders.unbind(1)]),
            'p_value': self._keyed(_p_values(natural.mean(0), of_orders)),
            'change': self._keyed([dict(mean=m, low=a, high=b) for m, a, b in change]),
            'curve_l1': summary_of((curves[1:] - own).abs().mean(-1)),
            'confidence': CONFIDENCE,
            'num_orders': self.num_orders,
            'num_resamples': self.num_resamples,
            'seed': self.seed,
            'num_tokens': self._num_tokens,
            'zero_tokens': self._zero_tokens,
        }

    def _keyed(self, values: Sequence[Any]) -> dict[str, Any]:
        return {f'{t:.2f}': v for t, v in zip(self.thresholds, values, strict=True)}


def _p_values(natural: Tensor, of_orders: Tensor) -> list[float]:
    """Return two-sided p-values of the natural order among the random ones.

    They are the shares of all orders, the natural one included, that lie at least as far from
    their mean as the natural one.

    Args:
        natural: (thresholds,).
        of_orders: (orders, thresholds).
    """
    every = torch.cat([natural[None], of_orders])
    distances = (every - every.mean(0)).abs()
    # Equal distances on either side may differ by rounding.
    shares: list[float] = (distances >= distances[0] - 1e-9).double().mean(0).tolist()
    return shares
