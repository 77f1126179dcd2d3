"""TargetTokens: centre or standardise a teacher's tokens by measured statistics."""

from typing import Any

import torch
from torch import Tensor

from ...registry import MODELS
from ...utils.dtypes import at_least_float32
from ...utils.errors import KeyedValueError
from ..utils.features import Features
from .patch_tokens_connector import PatchTokens

KINDS = ('raw', 'centred', 'standardised')
# A channel is constant if its spread is rounding: below this share of the largest number.
ROUNDING = 1e-6


def constant_channels(mean: Tensor, std: Tensor) -> Tensor:
    """Return which channels (C,) have a spread that is no more than rounding."""
    return std <= ROUNDING * torch.maximum(mean.abs(), std.max())


@MODELS.register_module()
class TargetTokens(PatchTokens):
    """The teacher's tokens as a target: raw, without their mean, or standardised.

    ``pair_target`` of :class:`~mmvitkd.models.algorithms.FeatureDistill` puts it on the
    teacher's side. The mean and the standard deviation of each channel are measured once, on
    training images before the training (``mmvitkd.TargetStatisticsHook``), and saved with the
    run. A constant channel is centred, and not divided.

    Args:
        kind: 'raw', 'centred' or 'standardised'.
        as_map: Whether a loss is given maps (B, C, H, W).
        kwargs: Arguments of :class:`~mmvitkd.models.connectors.PatchTokens`.

    Attributes:
        mean: (C,), of each channel of the tokens.
        std: (C,), likewise.
        count: How many tokens were measured; 0 before that.

    Raises:
        ValueError: If ``kind`` is unknown.
    """

    mean: Tensor
    std: Tensor
    count: Tensor

    def __init__(self, kind: str, as_map: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if kind not in KINDS:
            raise ValueError(f'kind={kind!r} is none of {list(KINDS)}')
        self.kind, self.as_map = kind, as_map
        self.is_measured = False
        for name in ('mean', 'std'):
            self.register_buffer(name, torch.zeros(0))
        self.register_buffer('count', torch.zeros((), dtype=torch.long))

    def read(self, feature: Any) -> Features:
        """Return the tokens as they are, see :class:`.PatchTokens`."""
        return super().forward_train(feature)

    def forward_train(self, feature: Any) -> Features | Tensor:
        """Return the target, in at least float32: features, or a map.

        Args:
            feature: See :class:`.PatchTokens`.

        Raises:
            ValueError: If it is not such a feature, or nothing is measured yet in a training.
        """
        tokens, grid = self.read(feature)
        if not self.mean.numel():  # the width is known from the dry run on
            self.mean, self.std = (tokens.new_zeros(tokens.shape[2]).float() for _ in range(2))
            self.std.fill_(1)
        if self.training and not self.is_measured:
            raise KeyedValueError(
                f'{{pair_target}}={self.kind!r}: the statistics of the target are not '
                'measured. Train with default_hooks.target_statistics='
                "dict(type='mmvitkd.TargetStatisticsHook').",
                'pair_target',
            )
        features = Features(self._changed(at_least_float32(tokens)), grid)
        return features.to_map() if self.as_map else features

    def set_statistics(self, mean: Tensor, std: Tensor, count: int) -> list[int]:
        """Set what was measured.

        Args:
            mean: (C,), in float64.
            std: The same.
            count: The number of tokens.

        Returns:
            The numbers of the constant channels.

        Raises:
            ValueError: If all are constant.
        """
        constant = constant_channels(mean, std)
        if constant.all():
            raise ValueError(f'all {len(std)} channels are constant over {count:,} tokens')
        self.mean.copy_(mean)
        self.std.copy_(std.masked_fill(constant, 0))
        self.count.fill_(count)
        self.is_measured = True
        channels: list[int] = constant.nonzero().flatten().tolist()
        return channels

    def target_moments(self) -> tuple[Tensor, Tensor]:
        """Return the mean and the standard deviation (C,) of what the loss is given."""
        mean = self.mean if self.kind == 'raw' else torch.zeros_like(self.mean)
        return mean, (self.std > 0).float() if self.kind == 'standardised' else self.std

    def _changed(self, tokens: Tensor) -> Tensor:
        if self.kind == 'raw':
            return tokens
        centred = tokens - self.mean
        if self.kind == 'centred':
            return centred
        return centred / torch.where(self.std > 0, self.std, 1)

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any
    ) -> None:
        """Load statistics; whether they are measured is known without reading them again."""
        super()._load_from_state_dict(state_dict, prefix, *args)
        if f'{prefix}count' in state_dict:
            self.is_measured = bool(self.count > 0)
