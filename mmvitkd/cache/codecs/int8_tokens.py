"""Store tokens in int8 with one scale a token."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .codec import Codec, Field

LEVELS = 127  # on each side of 0: symmetric, -128 is not used


@dataclass(frozen=True)
class Int8Tokens(Codec):
    """Round each token to 255 levels between its largest magnitude and the negative of it.

    The error of a number is at most 1/254 of the largest magnitude in its token. A token of
    zeros is exact.

    Args:
        shape: The shape of one row, channels last: (N, C), (H, W, C) or (C,).
        dtype: What :meth:`decode` returns.
    """

    shape: tuple[int, ...]
    dtype: str = 'float32'

    @property
    def fields(self) -> tuple[Field, ...]:
        """The scales and the rounded numbers."""
        return (
            Field('scale', torch.float32, self.shape[:-1]),
            Field('values', torch.int8, self.shape),
        )

    def _encode(self, x: Tensor) -> dict[str, Tensor]:
        scale, values = quantize(x)
        return {'scale': scale, 'values': values}

    def _decode(self, parts: Mapping[str, Tensor]) -> Tensor:
        # In place: fresh memory for a second copy would take as long again.
        return parts['values'].float().mul_(parts['scale'].unsqueeze(-1))


def quantize(x: Tensor) -> tuple[Tensor, Tensor]:
    """Round finite numbers along the last axis to int8.

    Args:
        x: (..., C), float32.

    Returns:
        The scales (...), float32, and the rounded numbers (..., C), int8: their product is
        close to ``x``.
    """
    scale = x.abs().amax(-1) / LEVELS
    divisor = torch.where(scale > 0, scale, 1).unsqueeze(-1)
    # A subnormal scale has few digits, so that a quotient may pass the last level.
    return scale, (x / divisor).round_().clamp_(-LEVELS, LEVELS).to(torch.int8)
