"""TokensToMap: lay out the output of a block or a stage as a map."""

from typing import Any

from torch import Tensor

from ...registry import MODELS
from .patch_tokens_connector import PatchTokens


@MODELS.register_module()
class TokensToMap(PatchTokens):
    """Lay out tokens (B, E + N, C) as a map (B, C, H, W), N = H x W, without copying.

    For losses that take maps, such as MMRazor's; ours take
    :class:`~mmvitkd.models.connectors.PatchTokens` as well. A map becomes channels first.

    8 x 10 patches and a class token are as many as a square grid, and are taken for it: give
    ``grid`` whenever the input is not square, and ``num_extra_tokens`` if there are more than
    5; see :func:`~mmvitkd.models.utils.features.to_features`.

    Args:
        grid: (H, W) of the token grid, or its side; None finds a square one.
        num_extra_tokens: E, exactly; None infers it from the grid.
        pool: 'cls' or 'mean' for the image's embedding as a map of 1 x 1.

    Raises:
        ValueError: If ``grid`` is not one or two positive ints, or ``pool`` is unknown.
    """

    def forward_train(self, feature: Any) -> Tensor:
        """Drop the extra tokens and lay out the rest, row by row.

        Args:
            feature: Tokens (B, E + N, C), alone or with their (H, W); or a map
                (B, H, W, C) or (B, C, H, W).

        Returns:
            A view of it, (B, C, H, W).

        Raises:
            ValueError: If ``feature`` is none of these, or the grid does not fit it.
        """
        return super().forward_train(feature).to_map()
