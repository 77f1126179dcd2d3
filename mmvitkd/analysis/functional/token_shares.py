"""How many channels or frequencies hold a share of a token's energy, averaged over tokens."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .moments import CurveMoments
from .summary import dimension

# Of arXiv 2511.15572: the shares of a token's energy for which a bandwidth is given.
BANDWIDTH_THRESHOLDS = (0.50, 0.60, 0.70, 0.80, 0.90)


class TokenShares:
    """Mean over tokens of their curves of cumulated energy, and where it reaches shares.

    Args:
        thresholds: Shares of a token's energy.
    """

    def __init__(self, thresholds: Sequence[float] = BANDWIDTH_THRESHOLDS) -> None:
        self.thresholds = tuple(thresholds)
        self._curves = CurveMoments()
        self._zero_tokens = 0

    def update(self, energies: Tensor) -> None:
        """Add T tokens.

        Args:
            energies: float64, (T, K), in the order in which they are cumulated. A token
                without any has no shares: it is counted and left out.

        Raises:
            ValueError: If K differs from that of the tokens before.
        """
        curves = energies.cumsum(1)
        totals = curves[:, -1:].clone()
        some = totals[:, 0] > 0
        if not some.all():
            curves, totals = curves[some], totals[some]
        curves /= totals
        self._curves.update(curves)
        self._zero_tokens += len(energies) - len(curves)

    def result(self) -> dict[str, Any]:
        """Return the result for the tokens so far.

        Returns:
            What ``curve_report`` gives, 'std' being over the tokens; 'num_tokens' that were
            averaged, and 'zero_tokens' that were left out.

        Raises:
            ValueError: If no token has any energy.
        """
        if not self._curves.count:
            raise ValueError(
                f'nothing measured: of {self._zero_tokens} tokens, none has any energy.'
            )
        return {
            **curve_report(self._curves.mean, self._curves.std, self.thresholds),
            'num_tokens': self._curves.count,
            'zero_tokens': self._zero_tokens,
        }


def curve_report(
    curve: Sequence[float], std: Sequence[float], thresholds: Sequence[float]
) -> dict[str, Any]:
    """Return a curve of cumulated shares, and where it reaches the thresholds.

    Args:
        curve: Share held by the first 1, 2, ... K parts.
        std: Its spread, K numbers.
        thresholds: Shares.

    Returns:
        'curve' and 'std'; for each threshold ('0.80') the smallest number of parts 'd' that
        reaches it, and the 'bandwidth' d / K.
    """
    shares = torch.tensor(list(curve), dtype=torch.float64)
    d = {f'{t:.2f}': int(dimension(shares, t)) for t in thresholds}
    return {
        'curve': list(curve),
        'std': list(std),
        'd': d,
        'bandwidth': {key: value / len(shares) for key, value in d.items()},
    }
