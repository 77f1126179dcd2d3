"""Count the channels or frequencies that hold a share of a token's energy, on average."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .moments import CurveMoments
from .summary import dimension

# The shares of a token's energy for which arXiv 2511.15572 gives bandwidths.
BANDWIDTH_THRESHOLDS = (0.50, 0.60, 0.70, 0.80, 0.90)


class TokenShares:
    """Averages tokens' curves of cumulative energy, and finds where the mean reaches shares.

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
            energies: float64, (T, K), in the order in which they are accumulative. Tokens
                without energy have no shares: they are counted and left out.

        Raises:
            ValueError: If K differs from that of earlier tokens.
        """
        curves = energies.cumsum(1)
        totals = curves[:, -1:].clone()
        nonzero = totals[:, 0] > 0
        if not nonzero.all():
            curves, totals = curves[nonzero], totals[nonzero]
        curves /= totals
        self._curves.update(curves)
        self._zero_tokens += len(energies) - len(curves)

    def result(self) -> dict[str, Any]:
        """Return the result for the tokens so far.

        Returns:
            The result of ``curve_report``, with 'std' over the tokens; 'num_tokens' that were
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
    """Return a curve of cumulative shares, and where it reaches the thresholds.

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
