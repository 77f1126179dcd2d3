"""Patch tokens from what a block or a stage hands over."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ...models.connectors.tokens_to_map import MAX_EXTRA, TokensToMap


def patch_tokens(output: Any, images: Sequence[int], places: int | None) -> Tensor:
    """Drop the extra tokens, lay maps out as tokens.

    Args:
        output: Tokens (B, E + N, D), alone or with their (H, W); a map (B, H, W, D) or
            (B, D, H, W); or a tuple of one of these and other tensors, as Lift's.
        images: The shape of the images, (B, 3, H, W); a map's grid is told from its
            channels by being as the images are.
        places: How many patches each image was cut into, if it is known. Of tokens that
            are up to 16 more, the first E are extra (class, distillation, registers).
            Others must read as one square grid only, see
            :class:`~mmvitkd.models.connectors.TokensToMap`.

    Returns:
        (B, N, D), row by row, a view where that can be.

    Raises:
        ValueError: If it is none of these, or cannot be told.
    """
    first = first_tensor(output)
    if first is None or first.shape[0] != images[0]:
        found = type(output).__name__ if first is None else f'first of all {tuple(first.shape)}'
        raise ValueError(f'found {found}, wanted tokens or a map of {images[0]} images')
    if first.dim() == 3 and places is not None:
        extra = first.shape[1] - places
        if 0 <= extra <= MAX_EXTRA:
            return first[:, extra:]
    if isinstance(output, tuple) and isinstance(output[-1], Tensor):
        output = first
    connector = TokensToMap(_grid(first, images))
    return connector.forward_train(output).flatten(2).transpose(1, 2)


def first_tensor(output: Any) -> Tensor | None:
    """The tensor that a module returned, alone or first in a tuple."""
    first = output[0] if isinstance(output, tuple) and output else output
    return first if isinstance(first, Tensor) else None


def num_patches(embedded: Any, images: Sequence[int]) -> int | None:
    """How many patches a patch embedding cut each image into; None where it does not show.

    Args:
        embedded: What it returned: tokens (B, N, D), alone or with their (H, W), or a map.
        images: The shape of the images, (B, 3, H, W).
    """
    tensor = first_tensor(embedded)
    if tensor is None or tensor.dim() not in (3, 4):
        return None
    if tensor.dim() == 3:
        return tensor.shape[1]
    grid = _grid(tensor, images)
    return None if grid is None else grid[0] * grid[1]


def _grid(tensor: Tensor, images: Sequence[int]) -> tuple[int, int] | None:
    """(H, W) of a map: the two sides next to each other that are as the images' are."""
    if tensor.dim() != 4:
        return None
    height, width = images[2:]
    sides = [(tensor.shape[i], tensor.shape[i + 1]) for i in (1, 2)]
    fit = [(h, w) for h, w in sides if h * width == w * height]
    return fit[0] if len(fit) == 1 else None
