"""PatchTokens: extract the patch tokens of a block or a stage, with their grid."""

from typing import Any

from mmrazor.models.architectures.connectors.base_connector import BaseConnector

from ...registry import MODELS
from ..utils.features import Features, check_grid, to_features


@MODELS.register_module()
class PatchTokens(BaseConnector):  # type: ignore[misc]  # MMRazor is untyped
    """Drop the extra tokens; lay maps out as tokens, without copying.

    ``pairs`` puts it between a recorder and a loss. How an unknown grid or number of extra
    tokens is found: see :func:`~mmvitkd.models.utils.features.to_features`.

    Args:
        grid: (H, W) of the token grid, or its side; None finds a square one, of any size.
        num_extra_tokens: E, exactly; None infers it from the grid.

    Raises:
        ValueError: If ``grid`` is not one or two positive ints.
    """

    def __init__(
        self,
        grid: int | tuple[int, int] | None = None,
        num_extra_tokens: int | None = None,
    ) -> None:
        super().__init__()
        self.grid, self.num_extra_tokens = check_grid(grid), num_extra_tokens

    def forward_train(self, feature: Any) -> Features:
        """Return the patch tokens (B, N, C), a view, with their grid (H, W).

        Args:
            feature: Tokens (B, E + N, C), alone or with their (H, W); or a map (B, H, W, C) or
                (B, C, H, W).

        Raises:
            ValueError: If ``feature`` is none of these, or the grid does not fit it.
        """
        return to_features(feature, self.grid, self.num_extra_tokens)
