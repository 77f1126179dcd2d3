"""LiftProjector: project a narrow ViT's tokens to the teacher's width, at inference too."""

from typing import Any

import torch
import torch.nn as nn
from mmengine.model import BaseModule

from ...registry import MODELS
from ..utils.remedy import Remedy

POOLING = ('mean', 'cls')


@MODELS.register_module()
class LiftProjector(Remedy, BaseModule):  # type: ignore[misc]  # untyped base
    """The projection of Lift (arXiv 2511.15572, Lift): Linear without bias, LayerNorm.

    It goes between a backbone with ``out_type='raw'`` and ``final_norm=False`` and a
    linear head of ``out_channels``. The projected patch tokens are the feature that is
    distilled, and their mean is what the head classifies, so the projection stays at
    inference. Record element 0 of the output; MMPretrain's heads take the last.

    A backbone may also return a map, as Swin does (``norm_cfg=None`` leaves out its final
    norm, and nothing else): its positions are the patch tokens, row by row.

    Two controls: without ``out_channels`` nothing is projected (normalise and pool
    only); ``pooling='cls'`` widens, but classifies the projected class token.

    Args:
        in_channels: Width C of the backbone.
        out_channels: Width C' of the projection; None leaves it out, and C' is C.
        norm: Whether to normalise, after the projection.
        eps: The LayerNorm's; published with 1e-5.
        pooling: 'mean' over the patch tokens, or 'cls', the first token.
        num_extra_tokens: Leading tokens that are not patches, as many as the backbone's
            ``num_extra_tokens``: 1 for a class token, 2 with a distillation token. A map
            has none; the number is ignored.
        init_cfg: MMEngine's initialisation config; None keeps PyTorch's, as published.

    Raises:
        ValueError: If ``pooling`` is unknown, or ``num_extra_tokens`` is negative, or 0 with
            ``pooling='cls'``.
    """

    widened = ('',)
    distilled_feature = ''
    timm_lacks = 'ViT with a LiftProjector between its blocks and its head'

    def __init__(
        self,
        in_channels: int,
        out_channels: int | None = None,
        norm: bool = True,
        eps: float = 1e-5,
        pooling: str = 'mean',
        num_extra_tokens: int = 1,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if pooling not in POOLING:
            raise ValueError(f'pooling={pooling!r} is none of {list(POOLING)}')
        minimum = 1 if pooling == 'cls' else 0
        if num_extra_tokens < minimum:
            raise ValueError(
                f'num_extra_tokens={num_extra_tokens} must be at least {minimum} with '
                f'pooling={pooling!r}'
            )
        self.in_channels = in_channels
        self.out_channels = out_channels or in_channels
        self.pooling = pooling
        self.num_extra_tokens = num_extra_tokens
        self.proj: nn.Module = nn.Identity()
        if out_channels is not None:
            self.proj = nn.Linear(in_channels, out_channels, bias=False)
        self.norm: nn.Module = nn.Identity()
        if norm:
            self.norm = nn.LayerNorm(self.out_channels, eps=eps)

    def forward(self, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Project the last of the backbone's outputs.

        Args:
            inputs: A tuple whose last entry is (B, E + N, C), E being
                ``num_extra_tokens``, or a map (B, C, H, W), N being H x W.

        Returns:
            The projected patch tokens (B, N, C') and what the head classifies (B, C').

        Raises:
            TypeError: If ``inputs`` is not a tuple.
            ValueError: If its last entry has another rank or width, or no patch tokens; or it
                is a map and ``pooling`` is 'cls'.
        """
        if not isinstance(inputs, tuple):
            raise TypeError(f'neck inputs must be a tuple, found {type(inputs).__name__}')
        feature = inputs[-1]
        self._check_feature(feature)
        if feature.dim() == 4:
            tokens = self.norm(self.proj(feature.flatten(2).transpose(1, 2)))
        elif self.pooling == 'cls':
            tokens = self.norm(self.proj(feature))
            return tokens[:, self.num_extra_tokens :], tokens[:, 0]
        else:
            tokens = self.norm(self.proj(feature[:, self.num_extra_tokens :]))
        return tokens, tokens.mean(dim=1)

    def _check_feature(self, feature: torch.Tensor) -> None:
        shape = tuple(feature.shape)
        if len(shape) not in (3, 4):
            raise ValueError(
                f'LiftProjector needs tokens (B, L, C) or a map (B, C, H, W), found {shape}; '
                "set out_type='raw' in the backbone"
            )
        width = shape[2] if len(shape) == 3 else shape[1]
        if width != self.in_channels:
            raise ValueError(
                f'in_channels={self.in_channels}, but the feature {shape} is {width} wide'
            )
        if len(shape) == 4 and self.pooling == 'cls':
            raise ValueError(f"pooling='cls' needs a class token; the map {shape} has none")
        if len(shape) == 3 and shape[1] <= self.num_extra_tokens:
            raise ValueError(
                f'num_extra_tokens={self.num_extra_tokens} leaves no patch token of {shape}'
            )
