"""Read patch tokens from the output of a block or a stage, for images of a known size."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ...models.utils.features import MAX_EXTRA, Features, Grid, to_features


def patch_features(
    output: Any,
    images: Sequence[int],
    grid: Grid | None = None,
    num_extra_tokens: int | None = None,
) -> Features:
    """Drop the extra tokens; lay maps out as tokens.

    Args:
        output: Tokens (B, E + N, D), alone or with their (H, W); a map (B, H, W, D) or
            (B, D, H, W); or a tuple of one of these and other tensors, as Lift's.
        images: The shape of the images, (B, 3, H, W); the grid of a map is the two sides that
            have the same aspect ratio.
        grid: (H, W) of the tokens, if known. If there are up to 16 more tokens, the first E
            are extra (class, distillation, registers).
        num_extra_tokens: E, if known. Tokens of an unknown grid must fit exactly one square
            grid, see :func:`~mmvitkd.models.utils.features.to_features`.

    Returns:
        Tokens (B, N, D), row by row, a view where possible, with their grid.

    Raises:
        ValueError: If the output is none of these, or ambiguous.
    """
    first = first_tensor(output)
    if first is None or first.shape[0] != images[0]:
        found = type(output).__name__ if first is None else f'shape {tuple(first.shape)}'
        raise ValueError(f'found {found}, wanted tokens or a map of {images[0]} images')
    num_tokens = first.shape[1] if first.dim() == 3 else 0
    if grid is not None and 0 <= num_tokens - grid[0] * grid[1] <= MAX_EXTRA:
        return to_features(first, grid)
    if isinstance(output, tuple) and isinstance(output[-1], Tensor):
        output = first
    return to_features(output, _map_grid(first, images), num_extra_tokens)


def first_tensor(output: Any) -> Tensor | None:
    """Return a module's output if it is a tensor, the first tensor of a tuple, or None."""
    first = output[0] if isinstance(output, tuple) and output else output
    return first if isinstance(first, Tensor) else None


def _map_grid(tensor: Tensor, images: Sequence[int]) -> Grid | None:
    """Return (H, W) of a map: the two adjacent sides with the images' aspect ratio."""
    if tensor.dim() != 4:
        return None
    height, width = images[2:]
    sides = [(tensor.shape[i], tensor.shape[i + 1]) for i in (1, 2)]
    fit = [(h, w) for h, w in sides if h * width == w * height]
    return fit[0] if len(fit) == 1 else None
