"""Read the output of any module as patch tokens with their grid, or as an embedding."""

from math import isqrt
from typing import Any, NamedTuple

from torch import Tensor

# A class token and four registers, the most that published ViTs commonly carry.
MAX_GUESSED = 5
# With a known grid. If there are more, the grid is that of another input size.
MAX_EXTRA = 16

Grid = tuple[int, int]
# How an image's embedding is made of its tokens, where a module returns tokens.
POOLING = ('cls', 'mean')


class Features(NamedTuple):
    """The patch tokens of a batch of images.

    Attributes:
        tokens: (B, N, C), row by row, without class, distillation and register tokens.
        grid: (H, W) with N = H x W.
    """

    tokens: Tensor
    grid: Grid

    def to_map(self) -> Tensor:
        """Return the map (B, C, H, W), a view."""
        return self.tokens.transpose(1, 2).unflatten(2, self.grid)


def features_of_map(feature_map: Tensor) -> Features:
    """Return the features of a map (B, C, H, W), a view where its memory allows it."""
    height, width = feature_map.shape[2:]
    return Features(feature_map.flatten(2).transpose(1, 2), (height, width))


class NamedFeature(NamedTuple):
    """Where a model has what ``pairs`` call ``'embedding'`` or ``'tokens'``.

    Attributes:
        source: The name of a module.
        num_extra_tokens: How many tokens precede the patches; None infers it.
        pool: Of an embedding, how it is made where the module returns tokens: 'cls', the first
            one, or 'mean', of the patch tokens.
        is_input: Whether it is the module's input instead of its output.
    """

    source: str
    num_extra_tokens: int | None = None
    pool: str | None = None
    is_input: bool = False


def to_features(
    output: Any, grid: Grid | None = None, num_extra_tokens: int | None = None
) -> Features:
    """Read what a block or a stage returns, without copying.

    The E leading tokens (class, distillation, registers) are dropped. A stage may return
    tokens together with their (H, W) (MMPretrain's Swin), or a map with its channels last
    (timm's Swin) or first (ConvNeXt); the two equal sides of a map are its grid. Of several
    tensors, as a remedy's neck returns them, the first counts.

    Without ``grid`` and ``num_extra_tokens``, tokens must have exactly one reading as a
    square grid with at most 5 extra tokens in front. That covers the usual square inputs
    (197, 198, 257, 261 tokens) and refuses the few counts that read two ways (9 tokens: 3 x 3,
    or 2 x 2 after 5). 8 x 10 patches and a class token are as many as a square grid, and are
    taken for it.

    Args:
        output: Tokens (B, E + N, C), alone or with their (H, W); a map (B, H, W, C) or
            (B, C, H, W); or a tuple of tensors that begins with one of these.
        grid: (H, W) of the grid; None finds a square one.
        num_extra_tokens: E; None infers it from the grid.

    Raises:
        ValueError: If ``output`` is none of these, or the grid does not fit it.
    """
    if isinstance(output, Features):
        return output
    if isinstance(output, tuple) and len(output) == 2 and _is_grid(output[1]):
        output, grid = output[0], (int(output[1][0]), int(output[1][1]))
    elif isinstance(output, tuple) and all(isinstance(part, Tensor) for part in output[:2]):
        output = output[0] if output else output
    if not isinstance(output, Tensor) or output.dim() not in (3, 4):
        found = tuple(getattr(output, 'shape', ())) or type(output).__name__
        raise ValueError(
            'wanted tokens (B, L, C), alone or with their (H, W), or a map (B, H, W, C) or '
            f'(B, C, H, W), found {found}'
        )
    if output.dim() == 4:
        return _read_map(output, grid)
    height, width = grid or _square_grid(output, num_extra_tokens)
    extra = output.shape[1] - height * width
    wanted = num_extra_tokens
    if extra != wanted if wanted is not None else not 0 <= extra <= MAX_EXTRA:
        raise ValueError(
            f'grid={(height, width)} has {height * width} places, which does not fit the '
            f'{output.shape[1]} tokens of {tuple(output.shape)}: wanted '
            f'{f"0 to {MAX_EXTRA}" if wanted is None else wanted} extra '
            f'token{"" if wanted == 1 else "s"} before the patches (num_extra_tokens)'
        )
    return Features(output[:, extra:], (height, width))


def to_embedding(output: Any, pool: str, num_extra_tokens: int | None = None) -> Tensor:
    """Read an image's embedding (B, C) from what a module returns.

    Args:
        output: (B, C); tokens (B, E + N, C); a map (B, C, H, W); or a tuple, of which the last
            counts: a backbone's last output, what a remedy's neck pooled. If that is a tuple
            again, as of DeiT's two classification tokens, its first counts.
        pool: Of tokens, 'cls' is the first one, and 'mean' the mean of the patch tokens. The
            embedding of a map is its mean.
        num_extra_tokens: E; None means none.

    Raises:
        ValueError: If it is none of these.
    """
    if isinstance(output, Features):  # of which the extra tokens are already dropped
        return output.tokens.mean(1)
    for index in (-1, 0):
        if isinstance(output, tuple | list) and output:
            output = output[index]
    if not isinstance(output, Tensor) or output.dim() not in (2, 3, 4):
        found = tuple(getattr(output, 'shape', ())) or type(output).__name__
        raise ValueError(
            f'wanted an embedding (B, C), tokens (B, L, C) or a map (B, C, H, W), found {found}'
        )
    if output.dim() == 2:
        return output
    if output.dim() == 4:
        return output.flatten(2).mean(2)
    return output[:, 0] if pool == 'cls' else output[:, num_extra_tokens or 0 :].mean(1)


def check_grid(grid: Any) -> Grid | None:
    """Return (H, W) of a grid or its side.

    Raises:
        ValueError: If ``grid`` is not one or two positive ints.
    """
    if grid is None:
        return None
    sides = (grid, grid) if isinstance(grid, int) else tuple(grid)
    if len(sides) != 2 or not all(isinstance(s, int) and s > 0 for s in sides):
        raise ValueError(f'grid must be a positive int or two of them (H, W), found {grid!r}')
    return sides


def _is_grid(value: Any) -> bool:
    return not isinstance(value, Tensor) and isinstance(value, tuple | list) and len(value) == 2


def _read_map(feature: Tensor, grid: Grid | None) -> Features:
    """Tell (B, H, W, C) from (B, C, H, W) by the grid."""
    shape = tuple(feature.shape)
    last = shape[1:3] == grid if grid else shape[1] == shape[2]
    first = shape[2:4] == grid if grid else shape[2] == shape[3]
    if last == first:
        raise ValueError(
            f'Cannot tell channels from grid in the map {shape}'
            + (f' with grid={grid}' if grid else '; set grid')
        )
    if last:
        return Features(feature.flatten(1, 2), (shape[1], shape[2]))
    return features_of_map(feature)


def _square_grid(tokens: Tensor, num_extra_tokens: int | None) -> Grid:
    """Return the only square grid that the tokens can be read as."""
    count = tokens.shape[1]
    if num_extra_tokens is not None:
        side = isqrt(max(count - num_extra_tokens, 0))
        return side, side
    sides = [side for side in range(isqrt(count), 0, -1) if count - side * side <= MAX_GUESSED]
    if len(sides) != 1:
        readings = ' or '.join(f'{s} x {s} after {count - s * s}' for s in sides)
        raise ValueError(
            f'Cannot tell the token grid of {tuple(tokens.shape)}: {count} tokens '
            f'read as {readings or "no square grid"} with at most {MAX_GUESSED} extra '
            'tokens; set grid'
        )
    return sides[0], sides[0]
