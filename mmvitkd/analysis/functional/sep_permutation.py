"""Permutation test, with a bootstrap: does the order of the channels matter to SEP?"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .bootstrap import CONFIDENCE, bootstrap_interval
from .chunking import chunk_images
from .spectral_energy import check_mode, half_power, ordered_power
from .summary import dimension, summary_of
from .token_shares import BANDWIDTH_THRESHOLDS, curve_report


class SEPPermutation:
    """SEP of the same tokens in random channel orders (arXiv 2511.15572).

    The expected curve over all orders is known: the share of DC, the token's squared sum, is
    the same in any order, and all other frequencies have equal expected shares. So b_90 of
    the full spectrum is about 0.90, and b_50 about 0.5, for nearly any tokens. What the
    natural order contributes is 'change', the difference from it: report that one. Its
    permuted bandwidth is that of the curve averaged over orders.

    There are two sources of chance. 'd_of_orders' and 'p_value' are over the orders, on
    all images: does the natural order differ from a random one? 'low' and 'high' of 'change'
    are the paired bootstrap over images, with the orders fixed: would other images give the
    same?

    Args:
        mode: 'full' or 'folded', see ``SEP``.
        thresholds: Shares of a token's energy.
        num_orders: Number of random orders; each costs an FFT of every token.
        num_resamples: Number of resamples of the bootstrap over images.
        seed: Seed of the orders and the resamples.

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
        self._orders: list[Tensor] = []  # (D,) each
        self._per_order = torch.zeros(0, dtype=torch.float64)  # (num_orders, D // 2 + 1)
        # Energies of unit tokens summed over an image, in the natural order and averaged over
        # the random ones, (b, 2, D // 2 + 1); and the number of these tokens, (b,).
        self._pairs: list[Tensor] = []
        self._num_tokens: list[Tensor] = []
        self._zero_tokens = 0

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D).

        Raises:
            ValueError: If D differs from that of earlier images.
        """
        width = features.shape[-1]
        if not self._orders:
            generator = torch.Generator().manual_seed(self.seed)
            for _ in range(self.num_orders):
                self._orders.append(torch.randperm(width, generator=generator))
            self._per_order = self._per_order.new_zeros(self.num_orders, width // 2 + 1)
        self._check_width(width)
        orders = [order.to(features.device) for order in self._orders]
        for chunk in chunk_images(features):
            tokens = chunk.double()
            norms = torch.linalg.vector_norm(tokens, dim=-1, keepdim=True)
            # With unit length, the tokens' energies are shares, and may be summed.
            tokens = tokens / norms.where(norms > 0, 1)
            natural = half_power(tokens).sum(1)
            permuted = [half_power(tokens[..., order]).sum(1) for order in orders]
            power = torch.stack(permuted, dim=1)
            self._per_order = self._per_order + power.sum(0).cpu()
            self._pairs.append(torch.stack([natural, power.mean(1)], dim=1).cpu())
            self._num_tokens.append((norms > 0).sum((1, 2)).cpu())
            self._zero_tokens += int((norms == 0).sum())

    def result(self) -> dict[str, Any]:
        """Return the result for the images so far.

        Returns:
            The result of ``curve_report`` for the curve averaged over tokens and orders, with
            'std' over the orders' curves. For each threshold ('0.80'): 'd_of_orders', the
            summary over orders; 'p_value', two-sided, of the natural d among them; 'change',
            permuted minus natural bandwidth: 'mean', and 'low' and 'high' of the bootstrap's
            interval. Then 'confidence' of the interval, 'num_orders', 'num_resamples', 'seed',
            'num_tokens' and 'zero_tokens'.

        Raises:
            ValueError: If no token has any energy.
        """
        num_tokens = sum(int(tokens.sum()) for tokens in self._num_tokens)
        if not num_tokens:
            raise ValueError(
                f'nothing measured: of {self._zero_tokens} tokens, none has any energy.'
            )
        # Images without nonzero tokens have no energies to resample.
        pairs = torch.cat(self._pairs)[torch.cat(self._num_tokens) > 0]
        total = pairs.sum(0)
        of_natural = self._dimensions(self._curves(total[0]))
        curves = self._curves(self._per_order)
        of_orders = self._dimensions(curves)
        std = curves.std(0, correction=0)
        ends = bootstrap_interval(pairs, self._change, self.num_resamples, self.seed)
        changes = zip(self._change(total).tolist(), *ends, strict=True)
        return {
            **curve_report(self._curves(total[1]).tolist(), std.tolist(), self.thresholds),
            'd_of_orders': self._keyed([summary_of(d) for d in of_orders.unbind(1)]),
            'p_value': self._keyed(_p_values(of_natural, of_orders)),
            'change': self._keyed([dict(mean=m, low=a, high=b) for m, a, b in changes]),
            'confidence': CONFIDENCE,
            'num_orders': self.num_orders,
            'num_resamples': self.num_resamples,
            'seed': self.seed,
            'num_tokens': num_tokens,
            'zero_tokens': self._zero_tokens,
        }

    def _change(self, pair: Tensor) -> Tensor:
        """Return permuted minus natural bandwidth of energies (2, D // 2 + 1)."""
        curves = self._curves(pair)
        natural, permuted = self._dimensions(curves)
        return (permuted - natural).double() / curves.shape[-1]

    def _curves(self, half: Tensor) -> Tensor:
        """Return the cumulative shares of energies that were summed over tokens."""
        curves = ordered_power(half, len(self._orders[0]), self.mode).cumsum(-1)
        return curves / curves[..., -1:]

    def _dimensions(self, curves: Tensor) -> Tensor:
        """Return where curves (..., K) reach the thresholds, (..., thresholds)."""
        return torch.stack([dimension(curves, t) for t in self.thresholds], dim=-1)

    def _keyed(self, values: Sequence[Any]) -> dict[str, Any]:
        return {f'{t:.2f}': v for t, v in zip(self.thresholds, values, strict=True)}

    def _check_width(self, width: int) -> None:
        if width != len(self._orders[0]):
            raise ValueError(
                f'features: found {width} channels, wanted {len(self._orders[0])} as before.'
            )


def _p_values(natural: Tensor, of_orders: Tensor) -> list[float]:
    """Return two-sided p-values of the natural order among the random ones.

    They are the shares of all orders, the natural one included, that lie at least as far from
    their mean as the natural one.

    Args:
        natural: (thresholds,).
        of_orders: (orders, thresholds).
    """
    every = torch.cat([natural[None], of_orders]).double()
    distances = (every - every.mean(0)).abs()
    # Equal distances on either side may differ by rounding.
    shares: list[float] = (distances >= distances[0] - 1e-9).double().mean(0).tolist()
    return shares
