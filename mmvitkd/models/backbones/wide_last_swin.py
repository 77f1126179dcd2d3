"""WideLast on MMPretrain's Swin Transformer: the last blocks of the last stage."""

from collections.abc import Sequence
from typing import Any

from mmpretrain.models import backbones as mmpretrain
from mmpretrain.models.utils import build_norm_layer
from torch.nn.init import trunc_normal_

from .initialization import init_linears_and_norms, mark_blocks_as_initialised
from .input_projection import add_input_projections
from .wide_last import WideLast
from .width_schedule import block_widths

# Sizes of a stage and of a block, which come from the arch and not from stage_cfgs.
STAGE_SIZES = {'embed_dims', 'depth', 'num_heads', 'downsample'}
BLOCK_SIZES = {'embed_dims', 'num_heads'}
NORM = dict(type='LN')  # of MMPretrain's Swin blocks, unless block_cfgs says otherwise


class WideLastSwin(WideLast, mmpretrain.SwinTransformer):  # type: ignore[misc]  # untyped base
    """WideLast on Swin: ``stages.S.blocks.N`` of the last stage S, behind its downsampling.

    The width schedule starts from the width, heads and depth of the last stage alone.
    """

    base_class = mmpretrain.SwinTransformer
    arch_keys = frozenset(('embed_dims', 'depths', 'num_heads'))

    @staticmethod
    def _block_widths(arch: dict[str, Any], *settings: Any) -> tuple[list[int], list[int]]:
        try:
            return block_widths(arch, *settings)
        except ValueError as error:
            raise ValueError(
                f'{error} (in Swin this refers to the last stage alone: '
                f'{arch["num_layers"]} blocks of {arch["embed_dims"]}, '
                f'{arch["num_heads"]} heads)'
            ) from None

    @classmethod
    def _arch_settings(cls, cfg: dict[str, Any]) -> dict[str, Any]:
        """Return width, heads and depth of the last stage, named as for a plain ViT."""
        arch = super()._arch_settings(cfg)
        width = arch['embed_dims']
        for stage in cls._stage_cfgs(cfg)[:-1]:
            width = stage.get('downsample_cfg', {}).get('out_channels', 2 * width)
        return dict(
            embed_dims=width, num_heads=arch['num_heads'][-1], num_layers=arch['depths'][-1]
        )

    @classmethod
    def _base_settings(
        cls, cfg: dict[str, Any], arch: dict[str, Any], dims: list[int], heads: list[int]
    ) -> dict[str, Any]:
        *stages, last = cls._stage_cfgs(cfg)
        blocks = [
            dict(block, embed_dims=width, num_heads=number)
            for block, width, number in zip(
                cls._block_cfgs(last, len(dims)), dims, heads, strict=True
            )
        ]
        return dict(
            out_indices=cls._out_indices(cfg, len(stages) + 1),
            stage_cfgs=[*stages, dict(last, block_cfgs=blocks)],
        )

    def _widen(self, cfg: dict[str, Any], dims: list[int], heads: list[int]) -> None:
        stage, base_width = self.stages[-1], self.stages[-1].embed_dims
        norm_cfgs = [b.get('norm_cfg', NORM) for b in cfg['stage_cfgs'][-1]['block_cfgs']]
        add_input_projections(stage.blocks, dims, norm_cfgs, base_width)
        attentions = [block.attn.w_msa for stage in self.stages for block in stage.blocks]
        self.block_dims = tuple(attention.embed_dims for attention in attentions)
        self.block_heads = tuple(attention.num_heads for attention in attentions)
        last = self.num_layers - 1
        widened = [f'stages.{last}.blocks.{i}' for i, d in enumerate(dims) if d != base_width]
        if dims[-1] != base_width:
            stage.embed_dims = dims[-1]  # its out_channels
            self.num_features[-1] = dims[-1]
            norm_cfg = self._argument(cfg, 'norm_cfg')
            if last in self.out_indices and norm_cfg is not None:
                setattr(self, f'norm{last}', build_norm_layer(norm_cfg, dims[-1]))
                widened.append(f'norm{last}')
        self.widened = tuple(widened)
        self._freeze_stages()

    def init_weights(self) -> None:
        """Initialise as published for WideLast, then run ``init_cfg``, Pretrained last."""
        if not self.is_init:
            init_linears_and_norms(self)
            for name, parameter in self.named_parameters():
                if name.endswith(('relative_position_bias_table', 'absolute_pos_embed')):
                    trunc_normal_(parameter, std=0.02)
            mark_blocks_as_initialised(self)
        # Skip MMPretrain's override, which redraws absolute_pos_embed after a list of init_cfg
        # has loaded pretrained weights.
        super(mmpretrain.SwinTransformer, self).init_weights()

    def train(self, mode: bool = True) -> 'WideLastSwin':
        """Set the training mode and return the module (MMPretrain's returns None)."""
        super().train(mode)
        return self

    @classmethod
    def _out_indices(cls, cfg: dict[str, Any], number: int) -> list[int]:
        """Return a new list of ``out_indices`` from 0: the base ignores negative ones."""
        given = cls._argument(cfg, 'out_indices')
        indices = list(given) if isinstance(given, Sequence) else [given]
        for index in indices:
            if not -number <= index < number:
                raise ValueError(
                    f'base.out_indices={indices}: {index} is none of the {number} stages '
                    f'(0 to {number - 1}, or -{number} to -1)'
                )
        return [index % number for index in indices]

    @classmethod
    def _stage_cfgs(cls, cfg: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the base's ``stage_cfgs``, one for each stage."""
        number = len(super()._arch_settings(cfg)['depths'])
        return _part_cfgs(
            cls._argument(cfg, 'stage_cfgs'), number, STAGE_SIZES, 'stage_cfgs', 'stages'
        )

    @classmethod
    def _block_cfgs(cls, stage_cfg: dict[str, Any], number: int) -> list[dict[str, Any]]:
        """Return the ``block_cfgs`` of the last stage, one for each block."""
        return _part_cfgs(
            stage_cfg.get('block_cfgs', {}),
            number,
            BLOCK_SIZES,
            "stage_cfgs' block_cfgs",
            'blocks of the last stage',
        )


def _part_cfgs(
    given: Any, number: int, sizes: set[str], key: str, what: str
) -> list[dict[str, Any]]:
    """Return one config for each of ``number`` parts; check that none sets a size."""
    configs = [given] * number if isinstance(given, dict) else list(given)
    if len(configs) != number:
        raise ValueError(f'base.{key} has {len(configs)} entries for {number} {what}')
    found = sizes.intersection(name for config in configs for name in config)
    if found:
        raise ValueError(
            f'base.{key} sets {sorted(found)}; sizes come from base.arch, width and num_heads'
        )
    return configs
