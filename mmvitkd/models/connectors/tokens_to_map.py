"""TokensToMap: lays what a block or a stage hands over out as a map."""

from math import isqrt

import torch
from mmrazor.models.architectures.connectors.base_connector import BaseConnector

from ...registry import MODELS

# A class token and four registers, the most that published ViTs commonly carry.
MAX_GUESSED = 5
# With a grid from the config. More than this, and the grid is another input size's.
MAX_EXTRA = 16


@MODELS.register_module()
class TokensToMap(BaseConnector):
    """Tokens (B, E + N, C) to a map (B, C, H, W), N = H x W, without copying.

    The E leading tokens (class, distillation, registers) are dropped, whatever their
    number. What a stage hands over is taken too: tokens with their (H, W) beside them
    (MMPretrain's Swin), a map with its channels last (timm's Swin) or first (ConvNeXt).
    A map's two equal sides are its grid; where that leaves a choice, ``grid`` makes it.

    Without ``grid`` the tokens must have exactly one reading as a square grid with at
    most 5 extra tokens in front. That covers the usual square inputs (197, 198, 257,
    261 tokens) and refuses what a guess would get wrong in silence: most grids that are
    not square, more extra tokens than that, and the few tiny counts that read two ways
    (9 tokens: 3 x 3, or 2 x 2 after 5). A grid that is not square but reads as one,
    such as 8 x 10 patches and a class token, cannot be told from it: give ``grid``
    whenever the input is not square, and ``num_extra_tokens`` where there are many.

    Args:
        grid: (H, W) of the token grid, or its side; None finds a square one.
        num_extra_tokens: E, exactly; None takes what the grid leaves.

    Raises:
        ValueError: ``grid`` is not one or two positive ints.
    """

    def __init__(
        self,
        grid: int | tuple[int, int] | None = None,
        num_extra_tokens: int | None = None,
    ) -> None:
        super().__init__()
        self.num_extra_tokens = num_extra_tokens
        self.grid: tuple[int, int] | None = None
        if grid is not None:
            sides = (grid, grid) if isinstance(grid, int) else tuple(grid)
            if len(sides) != 2 or not all(isinstance(s, int) and s > 0 for s in sides):
                raise ValueError(
                    f'grid must be a positive int or two of them (H, W), found {grid!r}'
                )
            self.grid = sides

    def forward_train(
        self, feature: torch.Tensor | tuple[torch.Tensor, tuple[int, int]]
    ) -> torch.Tensor:
        """Drop the extra tokens and lay out the rest, row by row.

        Args:
            feature: Tokens (B, E + N, C), alone or with their (H, W); or a map
                (B, H, W, C) or (B, C, H, W).

        Returns:
            A view of it, (B, C, H, W).

        Raises:
            ValueError: ``feature`` is none of these, or the grid does not fit it.
        """
        grid = self.grid
        if isinstance(feature, tuple) and len(feature) == 2 and len(feature[1]) == 2:
            feature, grid = feature[0], (int(feature[1][0]), int(feature[1][1]))
        if not isinstance(feature, torch.Tensor) or feature.dim() not in (3, 4):
            found = tuple(getattr(feature, 'shape', ())) or type(feature).__name__
            raise ValueError(
                'TokensToMap needs tokens (B, L, C), alone or with their (H, W), or a map '
                f'(B, H, W, C) or (B, C, H, W), found {found}'
            )
        if feature.dim() == 4:
            return _channels_first(feature, grid)
        height, width = grid or _square_grid(feature, self.num_extra_tokens)
        extra = feature.shape[1] - height * width
        wanted = self.num_extra_tokens
        if extra != wanted if wanted is not None else not 0 <= extra <= MAX_EXTRA:
            raise ValueError(
                f'grid={(height, width)} has {height * width} places, which does not fit the '
                f'{feature.shape[1]} tokens of {tuple(feature.shape)}: '
                f'{f"0 to {MAX_EXTRA}" if wanted is None else wanted} extra tokens may '
                'precede the patches (num_extra_tokens)'
            )
        return feature[:, extra:].transpose(1, 2).unflatten(2, (height, width))


def _channels_first(feature: torch.Tensor, grid: tuple[int, int] | None) -> torch.Tensor:
    """(B, H, W, C) or (B, C, H, W), told apart by their grid, to (B, C, H, W)."""
    shape = tuple(feature.shape)
    last = shape[1:3] == grid if grid else shape[1] == shape[2]
    first = shape[2:4] == grid if grid else shape[2] == shape[3]
    if last == first:
        raise ValueError(
            f'Cannot tell channels from grid in the map {shape}'
            + (f' with grid={grid}' if grid else '; set grid')
        )
    return feature.permute(0, 3, 1, 2) if last else feature


def _square_grid(feature: torch.Tensor, num_extra_tokens: int | None) -> tuple[int, int]:
    """The only square grid that the tokens can be read as."""
    tokens = feature.shape[1]
    if num_extra_tokens is not None:
        side = isqrt(max(tokens - num_extra_tokens, 0))
        return side, side
    sides = [
        side for side in range(isqrt(tokens), 0, -1) if tokens - side * side <= MAX_GUESSED
    ]
    if len(sides) != 1:
        readings = ' or '.join(f'{s} x {s} after {tokens - s * s}' for s in sides)
        raise ValueError(
            f'Cannot tell the token grid of {tuple(feature.shape)}: {tokens} tokens '
            f'read as {readings or "no square grid"} with at most {MAX_GUESSED} extra '
            'tokens; set grid'
        )
    return sides[0], sides[0]
