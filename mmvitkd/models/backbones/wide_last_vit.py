"""WideLast on MMPretrain's plain Vision Transformers."""

from collections.abc import Sequence
from typing import Any

from mmpretrain.models import backbones as mmpretrain
from mmpretrain.models.utils import build_norm_layer
from torch.nn.init import trunc_normal_

from .input_projection import add_input_projections
from .vision_transformer import VisionTransformer
from .wide_last import WideLast
from .width_schedule import block_widths


class WideLastViT(WideLast, VisionTransformer):
    """WideLast on a Vision Transformer."""

    base_class = mmpretrain.VisionTransformer
    arch_keys = frozenset(('embed_dims', 'num_layers', 'num_heads', 'feedforward_channels'))

    @classmethod
    def _base_settings(
        cls, cfg: dict[str, Any], arch: dict[str, Any], dims: list[int], heads: list[int]
    ) -> dict[str, Any]:
        return dict(
            out_indices=cls._out_indices(cfg, dims),
            layer_cfgs=cls._layer_cfgs(cfg, arch, dims, heads),
        )

    def _widen(self, cfg: dict[str, Any], dims: list[int], heads: list[int]) -> None:
        self.block_dims, self.block_heads = tuple(dims), tuple(heads)
        norm_cfg = self._argument(cfg, 'norm_cfg')
        norm_cfgs = [layer_cfg.get('norm_cfg', norm_cfg) for layer_cfg in cfg['layer_cfgs']]
        add_input_projections(self.layers, dims, norm_cfgs, self.embed_dims)
        widened = [f'layers.{i}' for i, dim in enumerate(dims) if dim != self.embed_dims]
        if dims[-1] != self.embed_dims:
            for norm, used in (
                ('ln1', self.final_norm),
                ('ln2', self.out_type == 'avg_featmap'),
            ):
                if used:
                    setattr(self, norm, build_norm_layer(norm_cfg, dims[-1]))
                    widened.append(norm)
        self.widened = tuple(widened)
        # Freeze the added layers too. DeiT3 has no frozen stages.
        if getattr(self, 'frozen_stages', -1) > 0:
            self._freeze_stages()

    def _init_tokens(self) -> None:
        trunc_normal_(self.pos_embed, std=0.02)
        if self.cls_token is not None:
            trunc_normal_(self.cls_token, std=0.02)

    @classmethod
    def _out_indices(cls, cfg: dict[str, Any], dims: list[int]) -> list[int]:
        """Return a new list of ``out_indices``, checked against the blocks."""
        given = cls._argument(cfg, 'out_indices')
        indices = list(given) if isinstance(given, Sequence) else [given]
        averages = cls._argument(cfg, 'out_type') == 'avg_featmap'
        depth = len(dims)
        for index in indices:
            if not -depth <= index < depth:
                raise ValueError(
                    f'base.out_indices={indices}: {index} is none of the {depth} '
                    f'blocks (0 to {depth - 1}, or -{depth} to -1)'
                )
            if averages and dims[index] != dims[-1]:
                raise ValueError(
                    f"base.out_type='avg_featmap' normalises at the last block's "
                    f'width, {dims[-1]}, and block {index} in base.out_indices='
                    f'{indices} is {dims[index]} wide'
                )
        return indices

    @classmethod
    def _layer_cfgs(
        cls, cfg: dict[str, Any], arch: dict[str, Any], dims: list[int], heads: list[int]
    ) -> list[dict[str, Any]]:
        """Return the base's ``layer_cfgs``: the user's, with each block's size."""
        given = cls._argument(cfg, 'layer_cfgs')
        given = [given] * len(dims) if isinstance(given, dict) else given
        if len(given) != len(dims):
            raise ValueError(f'base.layer_cfgs has {len(given)} entries for {len(dims)} blocks')
        sizes = cls.arch_keys.intersection(key for layer in given for key in layer)
        if sizes:
            raise ValueError(
                f'base.layer_cfgs sets {sorted(sizes)}; sizes come from base.arch, '
                'width and num_heads'
            )
        return [
            dict(
                layer,
                embed_dims=width,
                num_heads=number,
                feedforward_channels=arch['feedforward_channels'] * width // arch['embed_dims'],
            )
            for layer, width, number in zip(given, dims, heads, strict=True)
        ]


class WideLastDistilled(WideLastViT, mmpretrain.DistilledVisionTransformer):  # type: ignore[misc]  # untyped base
    """WideLast on DeiT with a distillation token."""

    base_class = mmpretrain.DistilledVisionTransformer

    def _init_tokens(self) -> None:
        super()._init_tokens()
        trunc_normal_(self.dist_token, std=0.02)


class WideLastDeiT3(WideLastViT, mmpretrain.DeiT3):  # type: ignore[misc]  # untyped base
    """WideLast on DeiT III."""

    base_class = mmpretrain.DeiT3

    def _widen(self, cfg: dict[str, Any], dims: list[int], heads: list[int]) -> None:
        super()._widen(cfg, dims, heads)
        # MMPretrain's DeiT3 block normalises with its ln1 before the FFN too and never
        # uses its ln2: trainable, it would stop DDP without find_unused_parameters.
        for block in self.layers:
            block.ln2.requires_grad_(False)


class WideLastViTEVA02(WideLastViT, mmpretrain.ViTEVA02):  # type: ignore[misc]  # untyped base
    """WideLast on EVA-02."""

    base_class = mmpretrain.ViTEVA02

    @staticmethod
    def _block_widths(arch: dict[str, Any], *settings: Any) -> tuple[list[int], list[int]]:
        dims, heads = block_widths(arch, *settings)
        size = arch['embed_dims'] // arch['num_heads']
        for index, (width, number) in enumerate(zip(dims, heads, strict=True)):
            if width // number != size:
                raise ValueError(
                    f"ViTEVA02's rotary position embedding fits the base's head size, "
                    f'{size}: block {index} has width={width} with num_heads={number}, '
                    f'so {width // number}'
                )
        return dims, heads
