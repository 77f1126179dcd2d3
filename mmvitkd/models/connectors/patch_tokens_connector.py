"""PatchTokens: extract the patch tokens of a block or a stage, or its embedding."""

from typing import Any

from mmrazor.models.architectures.connectors.base_connector import BaseConnector

from ...registry import MODELS
from ..utils.features import POOLING, Features, check_grid, to_embedding, to_features


@MODELS.register_module()
class PatchTokens(BaseConnector):  # type: ignore[misc]  # MMRazor is untyped
    """Drop the extra tokens; lay maps out as tokens, without copying.

    ``pairs`` puts it between a recorder and a loss. How an unknown grid or number of extra
    tokens is found: see :func:`~mmvitkd.models.utils.features.to_features`.

    Args:
        grid: (H, W) of the token grid, or its side; None finds a square one, of any size.
        num_extra_tokens: E, exactly; None infers it from the grid.
        pool: 'cls' or 'mean' for the image's embedding, which is a single token on a grid of
            1 x 1, instead of the patch tokens; see
            :func:`~mmvitkd.models.utils.features.to_embedding`.

    Raises:
        ValueError: If ``grid`` is not one or two positive ints, or ``pool`` is unknown.
    """

    def __init__(
        self,
        grid: int | tuple[int, int] | None = None,
        num_extra_tokens: int | None = None,
        pool: str | None = None,
    ) -> None:
        super().__init__()
        if pool not in (None, *POOLING):
            raise ValueError(f'pool={pool!r} is none of {[None, *POOLING]}')
        self.grid, self.num_extra_tokens = check_grid(grid), num_extra_tokens
        self.pool = pool

    def forward_train(self, feature: Any) -> Features:
        """Return the patch tokens (B, N, C), a view, with their grid (H, W).

        Args:
            feature: Tokens (B, E + N, C), alone or with their (H, W); or a map (B, H, W, C) or
                (B, C, H, W). With ``pool`` also an embedding (B, C).

        Raises:
            ValueError: If ``feature`` is none of these, or the grid does not fit it.
        """
        if self.pool is not None:
            embedding = to_embedding(feature, self.pool, self.num_extra_tokens)
            return Features(embedding.unsqueeze(1), (1, 1))
        return to_features(feature, self.grid, self.num_extra_tokens)
