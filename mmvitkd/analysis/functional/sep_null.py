"""Compute the spectral energy pattern of random tokens, as a reference."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .spectral_energy import SEP
from .token_shares import BANDWIDTH_THRESHOLDS

SEED = 2026


def null_tokens(
    embed_dims: int,
    num_tokens: int = 2048,
    active_channels: int | None = None,
    seed: int = SEED,
) -> Tensor:
    """Return random tokens: standard normal values in all channels, or in a few.

    Args:
        embed_dims: D.
        num_tokens: Number of tokens.
        active_channels: Number of nonzero channels, drawn for each token: 1 for one-hot
            tokens, 8 for 8-sparse ones; None for all.
        seed: Seed of the values and the channels.

    Returns:
        (1, num_tokens, D) float64, like the features of one image.

    Raises:
        ValueError: If there are fewer than 1, or more than D, active channels.
    """
    active = embed_dims if active_channels is None else active_channels
    if not 1 <= active <= embed_dims:
        raise ValueError(f'active_channels={active}: wanted 1 to embed_dims={embed_dims}.')
    generator = torch.Generator().manual_seed(seed)
    shape = (1, num_tokens, embed_dims)
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    if active == embed_dims:
        return values
    channels = torch.rand(shape, generator=generator).topk(active).indices
    return torch.zeros_like(values).scatter(-1, channels, values)


def null_sep(
    embed_dims: int,
    mode: str = 'full',
    thresholds: Sequence[float] = BANDWIDTH_THRESHOLDS,
    num_tokens: int = 2048,
    active_channels: int | None = None,
    seed: int = SEED,
) -> dict[str, Any]:
    """Return SEP of random tokens.

    It is a straight line except for noise, and b_90 is about 0.90, whether all channels are
    active or a single one.

    Args:
        embed_dims: D of the features to compare with it.
        mode: 'full' or 'folded', see ``SEP``.
        thresholds: Shares of a token's energy.
        num_tokens: See ``null_tokens``.
        active_channels: See ``null_tokens``.
        seed: See ``null_tokens``.

    Returns:
        The result of ``SEP``, with 'active_channels' and 'seed'.
    """
    sep = SEP(mode, thresholds)
    sep.update(null_tokens(embed_dims, num_tokens, active_channels, seed))
    active = embed_dims if active_channels is None else active_channels
    return {**sep.result(), 'active_channels': active, 'seed': seed}
