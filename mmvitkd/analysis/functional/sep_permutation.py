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

    The expected curve over all orders is known: DC, the token's squared sum, has the share it
    has in any order, and every other frequency the same expected share. So b_90 of the full
    spectrum is about 0.90, and b_50 about 0.5, for nearly any tokens; what the natural order
    adds is the change from there, which is what to report. The permuted bandwidth in it is
    that of the curve averaged over orders.

    Two kinds of chance are kept apart. 'd_of_orders' and 'p_value' are over the orders, on
    all images: is the natural order unlike a random one? 'low' and 'high' of 'change' are the
    paired bootstrap over images, the orders being given: would other images give the same?

    Args:
        mode: 'full' or 'folded', as of ``SEP``.
        thresholds: Shares of a token's energy.
        num_orders: Random orders; each costs an FFT of every token.
        num_resamples: Of the bootstrap over images.
        seed: Of the orders and the resamples.

    Raises:
        ValueError: If there is no such mode, or no order or resample.
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
        # the random ones, (b, 2, D // 2 + 1); and how many tokens those are, (b,).
        self._pairs: list[Tensor] = []
        self._num_tokens: list[Tensor] = []
        self._zero_tokens = 0

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D).

        Raises:
            ValueError: If D differs from that of the images before.
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
            # Of unit length, the tokens' energies are shares, and may be summed.
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
            What ``curve_report`` gives of the curve averaged over tokens and orders, 'std'
            being that of the orders' curves; for each threshold ('0.80') the summary over
            orders 'd_of_orders'; the two-sided 'p_value' of the natural d among them; 'change',
            permuted minus natural bandwidth, as 'mean' and, of the bootstrap's interval,
            'low' and 'high'. Then 'confidence' of the interval, 'num_orders',
            'num_resamples', 'seed', 'num_tokens' and 'zero_tokens'.

        Raises:
            ValueError: If no token has any energy.
        """
        num_tokens = sum(int(tokens.sum()) for tokens in self._num_tokens)
        if not num_tokens:
            raise ValueError(
                f'nothing measured: of {self._zero_tokens} tokens, none has any energy.'
            )
        # Images count by their tokens, so those of zero tokens alone not at all.
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
        """Return cumulated shares of energies that were summed over tokens."""
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
    """Return the share of orders, with the natural one, at least as far from their mean as it.

    Args:
        natural: (thresholds,).
        of_orders: (orders, thresholds).
    """
    every = torch.cat([natural[None], of_orders]).double()
    distances = (every - every.mean(0)).abs()
    # Equal distances on either side may differ by rounding.
    shares: list[float] = (distances >= distances[0] - 1e-9).double().mean(0).tolist()
    return shares
