"""Energies of tokens over the frequencies of their channels."""

import torch
from torch import Tensor


def half_power(tokens: Tensor) -> Tensor:
    """Return the energy ``|F_k|^2`` of real tokens at the distinct frequencies from DC up.

    Args:
        tokens: float32 or float64, (..., D).

    Returns:
        (..., D // 2 + 1).
    """
    spectrum = torch.fft.rfft(tokens.contiguous())
    return spectrum.real.square() + spectrum.imag.square()


def ordered_power(half: Tensor, embed_dims: int, mode: str) -> Tensor:
    """Return the energies of a mode, in the order in which it accumulates them.

    Args:
        half: The result of ``half_power``, (..., D // 2 + 1).
        embed_dims: D.
        mode: 'full' or 'folded'.

    Returns:
        (..., D) for 'full', (..., D // 2 + 1) for 'folded'.
    """
    # Without DC and, for even D, the highest frequency, which are their own conjugates.
    paired = slice(1, (embed_dims + 1) // 2)
    if mode == 'full':
        return torch.cat([half, half[..., paired].flip(-1)], dim=-1)
    folded = half.clone()
    folded[..., paired] *= 2
    return folded
