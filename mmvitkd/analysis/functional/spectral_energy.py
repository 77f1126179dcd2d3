"""Spectral energy pattern (SEP): a token's energy over the frequencies of its channels."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ...models.utils.channel_power import half_power as half_power
from ...models.utils.channel_power import ordered_power as ordered_power
from .chunking import chunk_images
from .token_shares import BANDWIDTH_THRESHOLDS, TokenShares

MODES = ('full', 'folded')


def sep(
    tokens: Tensor, mode: str = 'full', thresholds: Sequence[float] = BANDWIDTH_THRESHOLDS
) -> dict[str, Any]:
    """Return the spectral energy pattern of tokens; read it next to ``null_sep``.

    Args:
        tokens: Patch tokens, (B, N, D).
        mode: 'full' or 'folded', see :class:`SEP`.
        thresholds: Shares of a token's energy.

    Returns:
        See :meth:`SEP.result`.

    Raises:
        ValueError: If the mode is unknown, or no token has any energy.

    Example:
        >>> import torch
        >>> from mmvitkd.analysis import null_sep, sep
        >>> tokens = torch.randn(4, 196, 384, generator=torch.Generator().manual_seed(0))
        >>> round(sep(tokens)['bandwidth']['0.90'], 2)
        0.9
        >>> round(null_sep(384)['bandwidth']['0.90'], 2)
        0.9
    """
    measure = SEP(mode, thresholds)
    measure.update(tokens)
    return measure.result()


class SEP:
    """Spectral energy pattern and its bandwidths (arXiv 2511.15572).

    Each token is transformed by the FFT over its D channels; its curve is the cumulative
    share of the energies ``|F_k|^2``. The curves are averaged over all tokens of all images,
    and the bandwidth b_t is the smallest d / D at which the mean curve reaches t.

    - 'full', as published: all D bins in their natural order, from DC up. The spectrum of a
      real token is symmetric, so b_50 is about 0.5 whatever the token.
    - 'folded', as in the paper's text: the D' = D // 2 + 1 bins of the real FFT, where bins
      of a conjugate pair count twice; bandwidths are d / D'.

    High bandwidths alone mean little. The order of the channels is arbitrary, and in a random
    order every frequency but DC has the same expected energy: after DC the curve is a
    straight line, and b_90 about 0.90 for nearly any token, one-hot, sparse or Gaussian. Show
    it next to a null (``SEPPermutation``, ``null_sep``) and to measures without an FFT, which
    distinguish these tokens (``SortedChannelEnergy``, ``ParticipationRatio``).

    Args:
        mode: 'full' or 'folded'.
        thresholds: The shares t.

    Raises:
        ValueError: If the mode is unknown.
    """

    def __init__(
        self, mode: str = 'full', thresholds: Sequence[float] = BANDWIDTH_THRESHOLDS
    ) -> None:
        check_mode(mode)
        self.mode = mode
        self._shares = TokenShares(thresholds)

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D).

        Raises:
            ValueError: If D differs from that of earlier images.
        """
        for chunk in chunk_images(features):
            tokens = chunk.flatten(0, 1).double()
            power = ordered_power(half_power(tokens), tokens.shape[1], self.mode)
            self._shares.update(power)

    def result(self) -> dict[str, Any]:
        """Return the result for the images so far.

        Returns:
            The result of ``TokenShares``: 'curve', and 'std' over the tokens; 'd' and
            'bandwidth' for each threshold; 'num_tokens' and 'zero_tokens'.

        Raises:
            ValueError: If no token has any energy.
        """
        return self._shares.result()


def check_mode(mode: str) -> None:
    """Check a mode of SEP.

    Raises:
        ValueError: If it is unknown.
    """
    if mode not in MODES:
        raise ValueError(f'mode={mode!r}: wanted one of {MODES}.')
