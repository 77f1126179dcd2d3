"""ProjectorConnector: project a map to the teacher's width and normalise it."""

from typing import Any

from mmpretrain.models.utils import LayerNorm2d
from mmrazor.models.architectures.connectors.base_connector import BaseConnector
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.dtypes import at_least_float32
from .tokens_to_map import TokensToMap

NORMS = ('BN', 'LN')


@MODELS.register_module()
class ProjectorConnector(BaseConnector):  # type: ignore[misc]  # MMRazor is untyped
    """Either connector of ProjectorKD (arXiv 2511.06848).

    The student's has ``out_channels``: a Linear to the teacher's width at each position of the
    map, then BatchNorm with a scale for each channel. Neither has a bias, whose gradient would
    be zero: BatchNorm subtracts the Linear's, and the target, which is normalised too, has a
    mean of zero. The published module has both, to the same effect.

    The teacher's has no ``out_channels``: BatchNorm alone, without parameters, as in the
    released code. A trained scale could bring the loss to zero by shrinking the target.

    BatchNorm runs in at least float32, on the statistics of the batch while training. Its
    running statistics are each process's own and play no part in training.

    With ``norm='LN'`` it is Lift's projection, Linear and LayerNorm (arXiv 2511.15572),
    without its place in the student: trained, then discarded. The other side of such a loss
    is the raw feature, as for Lift.

    Args:
        in_channels: Width C of the feature.
        out_channels: Width C' of the projection, the teacher's; None leaves it out, and C'
            is C.
        frozen: Whether nothing is trained, as in the released code, which makes the
            projector after the optimizer has collected its parameters: a fixed random
            projection, with BatchNorm's statistics still those of the batch.
        norm: 'BN' or 'LN'.
        grid: See :class:`~mmvitkd.models.connectors.TokensToMap`.
        num_extra_tokens: The same.
        init_cfg: MMEngine's initialisation config; None keeps PyTorch's.

    Raises:
        ValueError: If ``norm`` is unknown, or 'LN' without ``out_channels``, whose scale
            could shrink the target.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int | None = None,
        frozen: bool = False,
        norm: str = 'BN',
        grid: int | tuple[int, int] | None = None,
        num_extra_tokens: int | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if norm not in NORMS:
            raise ValueError(f'norm={norm!r} is none of {list(NORMS)}')
        if norm == 'LN' and out_channels is None:
            raise ValueError("norm='LN' needs out_channels: it would train the target's scale")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.to_map = TokensToMap(grid, num_extra_tokens)
        self.proj: nn.Module = nn.Identity()
        self.norm: nn.Module = nn.BatchNorm2d(in_channels, affine=False)
        if out_channels is not None:
            self.proj = nn.Linear(in_channels, out_channels, bias=False)
            self.norm = nn.BatchNorm2d(out_channels)
            self.norm.register_parameter('bias', None)
            if norm == 'LN':
                self.norm = LayerNorm2d(out_channels, eps=1e-5)
        if frozen:
            self.requires_grad_(False)

    def forward_train(self, feature: Any) -> Tensor:
        """Lay the feature out as a map, project and normalise it.

        Args:
            feature: Tokens (B, E + N, C), alone or with their (H, W), or a map (B, H, W, C) or
                (B, C, H, W).

        Returns:
            (B, C', H, W), half precision raised to float32.

        Raises:
            ValueError: If ``feature`` is none of these, or not ``in_channels`` wide.
        """
        feature_map: Tensor = self.to_map(feature)
        if feature_map.shape[1] != self.in_channels:
            raise ValueError(
                f'in_channels={self.in_channels}, but the feature {tuple(feature_map.shape)} '
                f'is {feature_map.shape[1]} wide'
            )
        # One layout in memory, in whatever the tokens come: sums are rounded alike.
        tokens = feature_map.permute(0, 2, 3, 1).contiguous()
        projected = self.proj(tokens).permute(0, 3, 1, 2)
        normalised: Tensor = self.norm(at_least_float32(projected))
        return normalised
