"""ProjectorConnector: project a map to the teacher's width, with or without a norm."""

from typing import Any

from mmpretrain.models.utils import LayerNorm2d
from mmrazor.models.architectures.connectors.base_connector import BaseConnector
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.dtypes import at_least_float32
from .tokens_to_map import TokensToMap

NORMS = ('BN', 'LN', None)


@MODELS.register_module()
class ProjectorConnector(BaseConnector):  # type: ignore[misc]  # MMRazor is untyped
    """Either connector of ProjectorKD (arXiv 2511.06848), and other projectors.

    ProjectorKD's student has ``out_channels``: a Linear to the teacher's width at each
    position of the map, then BatchNorm with a scale for each channel. Neither has a bias,
    whose gradient would be zero: BatchNorm subtracts the Linear's, and the target, which is
    normalised too, has a mean of zero. The published module has both, to the same effect.

    ProjectorKD's teacher has no ``out_channels``: BatchNorm alone, without parameters, as in
    the released code. A trained scale could bring the loss to zero by shrinking the target.

    BatchNorm runs in at least float32, on the statistics of the batch while training. Its
    running statistics are each process's own and play no part in training.

    With ``norm='LN'`` it is Lift's projection, Linear and LayerNorm (arXiv 2511.15572),
    without its place in the student: trained, then discarded. With ``norm=None, bias=True`` it
    is the plain linear projector. With ``norm='LN', norm_first=True, bias=True`` it is that of
    Proteus (arXiv 2407.10366): LayerNorm at the student's width, then Linear. The other side
    of these three is the teacher's feature as it is.

    Args:
        in_channels: Width C of the feature.
        out_channels: Width C' of the projection, the teacher's; None leaves it out, and C'
            is C.
        frozen: Whether nothing is trained, as in the released code, which makes the
            projector after the optimizer has collected its parameters: a fixed random
            projection, with BatchNorm's statistics still those of the batch.
        norm: 'BN', 'LN' or None.
        bias: Whether the Linear has a bias.
        norm_first: Whether the norm comes before the Linear, at the width C; 'LN' only.
        grid: See :class:`~mmvitkd.models.connectors.TokensToMap`.
        num_extra_tokens: The same.
        pool: The same.
        init_cfg: MMEngine's initialisation config; None keeps PyTorch's.

    Raises:
        ValueError: If ``norm`` is unknown, or not 'BN' without ``out_channels``, where a
            LayerNorm's scale could shrink the target; if ``bias`` is for a Linear that is not
            there or that BatchNorm follows; or if ``norm_first`` is not for 'LN'.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int | None = None,
        frozen: bool = False,
        norm: str | None = 'BN',
        bias: bool = False,
        norm_first: bool = False,
        grid: int | tuple[int, int] | None = None,
        num_extra_tokens: int | None = None,
        pool: str | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        _check(out_channels, norm, bias, norm_first)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.to_map = TokensToMap(grid, num_extra_tokens, pool)
        self.norm_first = norm_first
        self.proj: nn.Module = nn.Identity()
        if out_channels is not None:
            self.proj = nn.Linear(in_channels, out_channels, bias=bias)
        self.norm: nn.Module = nn.Identity()
        if norm == 'LN':
            width = in_channels if norm_first else self.proj.out_features
            self.norm = LayerNorm2d(width, eps=1e-5)
        elif norm == 'BN' and out_channels is None:
            self.norm = nn.BatchNorm2d(in_channels, affine=False)
        elif norm == 'BN':
            self.norm = nn.BatchNorm2d(out_channels)
            self.norm.register_parameter('bias', None)
        if frozen:
            self.requires_grad_(False)

    @property
    def max_rank(self) -> int:
        """The most dimensions of its output that the tokens of all images span together."""
        if self.norm_first:  # it centres each token, and adds one shift
            return self.in_channels
        # A LayerNorm behind the Linear has a shift. BatchNorm's is removed, and the mean of the
        # batch, which it takes off, lies in the Linear's range.
        shifts = (getattr(module, 'bias', None) for module in (self.proj, self.norm))
        return self.in_channels + sum(shift is not None for shift in shifts)

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
        if self.norm_first:
            return at_least_float32(self._project(self.norm(at_least_float32(feature_map))))
        normalised: Tensor = self.norm(at_least_float32(self._project(feature_map)))
        return normalised

    def _project(self, feature_map: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        # One layout in memory, in whatever the tokens come: sums are rounded alike.
        tokens = feature_map.permute(0, 2, 3, 1).contiguous()
        projected: Tensor = self.proj(tokens).permute(0, 3, 1, 2)
        return projected


def _check(out_channels: int | None, norm: str | None, bias: bool, norm_first: bool) -> None:
    if norm not in NORMS:
        raise ValueError(f'norm={norm!r} is none of {list(NORMS)}')
    if out_channels is None and norm == 'LN':
        raise ValueError("norm='LN' needs out_channels: it would train the target's scale")
    if out_channels is None and (norm is None or bias):
        raise ValueError(f'norm={norm}, bias={bias} need out_channels: nothing is projected')
    if bias and norm == 'BN':
        raise ValueError("bias=True has no effect with norm='BN', which subtracts it")
    if norm_first and norm != 'LN':
        raise ValueError(f"norm_first=True needs norm='LN', found norm={norm!r}")
