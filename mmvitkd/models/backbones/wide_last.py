"""WideLast: a ViT whose last blocks are as wide as the teacher's features."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch.nn as nn
from mmpretrain.models import backbones as mmpretrain
from mmpretrain.models.utils import build_norm_layer
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torch.nn.init import trunc_normal_

from ...registry import MODELS
from .vision_transformer import VisionTransformer
from .width_schedule import block_widths

ARCH_KEYS = {'embed_dims', 'num_layers', 'num_heads', 'feedforward_channels'}


@MODELS.register_module()
class WideLast(VisionTransformer):
    """A registered ViT with its last blocks widened (arXiv 2511.15572, WideLast).

    A block that is wider than its input first applies ``proj_in`` (Linear without
    bias) and ``proj_norm`` (the block's own kind of norm), then is the base's block at
    its new width, MLP ratio kept; the final norm has the last block's width. Everything
    else is the base: ``forward``, ``out_type``, drop-path, layer scale,
    ``frozen_stages``, resized position embeddings, ``get_layer_depth`` and every
    parameter name. New names are ``layers.N.proj_in.weight`` and
    ``layers.N.proj_norm.*``.

    ``init_weights()`` initialises as published: truncated normal of std 0.02 for every
    Linear, ``pos_embed`` and the class and distillation tokens; zero biases; norms 1
    and 0. An ``init_cfg`` runs after it, ``Pretrained`` last. The head is the config's.

    The built object is a WideLast and an instance of the base's class.

    Args:
        base: Config of MMPretrain's ``VisionTransformer``, ``DeiT3``, ``ViTEVA02`` or
            ``DistilledVisionTransformer``, with or without ``mmpretrain.`` in its type.
            (Not ``mmvitkd.VisionTransformer``: it differs in initialisation alone, and
            WideLast brings its own.)
        width: Width of the last block, or one width for each wide block. As published,
            the teacher's.
        num_heads: Heads of the wide blocks, one number or one for each; None leaves
            them to the schedule.
        num_wide: Number of wide blocks, counted from the last.
        schedule: 'heads_step', 'fixed_step', 'heads_linear' or 'fixed_linear', see
            :func:`block_widths`; None is 'heads_step' unless ``width`` is a list or
            ``num_heads`` is given.
        init_cfg: MMEngine's initialisation config; may stand in ``base`` instead.

    Attributes:
        block_dims: Width of every block.
        block_heads: Number of heads of every block.

    Shapes:
        Input (B, 3, H, W). Output, a tuple with an entry for each of ``out_indices``,
        by ``out_type``, C being that block's width: 'cls_token' (B, C), from
        ``DistilledVisionTransformer`` a pair of them; 'raw' (B, E + N, C) with E extra
        tokens; 'featmap' (B, C, h, w); 'avg_featmap' (B, C).

    Raises:
        TypeError: ``base`` or a width is of the wrong type.
        ValueError: Something does not fit; the message names the config key, what it
            found and what it wanted.
    """

    base_class: Any = mmpretrain.VisionTransformer

    def __new__(cls, base: dict | None = None, *args, **kwargs) -> 'WideLast':
        """Choose the subclass that widens the base's class."""
        # Copying and unpickling call this without arguments, on the right class.
        if base is not None and cls is WideLast:
            return super().__new__(WIDENED[_base_class(base)])
        return super().__new__(cls)

    def __init__(
        self,
        base: dict,
        width: int | Sequence[int],
        num_heads: int | Sequence[int] | None = None,
        num_wide: int = 1,
        schedule: str | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if _base_class(base) is not self.base_class:
            raise ValueError(
                f'{type(self).__name__} widens a {self.base_class.__name__}, found '
                f'base.type={base["type"]!r}; build it as WideLast'
            )
        # MMEngine adds _scope_ to what a config inherits from another package.
        cfg = {k: v for k, v in base.items() if k not in ('type', '_scope_')}
        if init_cfg is not None:
            if cfg.get('init_cfg') is not None:
                raise ValueError('init_cfg is given twice: in base and beside it')
            cfg['init_cfg'] = init_cfg
        arch = self._arch_settings(cfg)
        dims, heads = block_widths(arch, width, num_heads, num_wide, schedule)
        cfg['out_indices'] = self._out_indices(cfg, dims)
        cfg['layer_cfgs'] = self._layer_cfgs(cfg, arch, dims, heads)
        self._check_heads(arch, dims, heads)
        super().__init__(**cfg)
        self.block_dims = tuple(dims)
        self.block_heads = tuple(heads)
        self._widen(cfg)

    def _check_heads(self, arch: dict, dims: list[int], heads: list[int]) -> None:
        """Check what only one base asks of the heads."""

    def _widen(self, cfg: dict) -> None:
        """Add the projections; give the final norms the last width."""
        norm_cfg = self._argument(cfg, 'norm_cfg')
        width_in = self.embed_dims
        for block, width, layer_cfg in zip(
            self.layers, self.block_dims, cfg['layer_cfgs'], strict=True
        ):
            if width != width_in:
                block.proj_in = nn.Linear(width_in, width, bias=False)
                block.proj_norm = build_norm_layer(layer_cfg.get('norm_cfg', norm_cfg), width)
                block.register_forward_pre_hook(_project)
            width_in = width
        if self.final_norm:
            self.ln1 = build_norm_layer(norm_cfg, width_in)
        if self.out_type == 'avg_featmap':
            self.ln2 = build_norm_layer(norm_cfg, width_in)
        # DeiT3 has no frozen stages. In the others they now include what was added.
        if getattr(self, 'frozen_stages', -1) > 0:
            self._freeze_stages()

    def _init_tokens(self) -> None:
        trunc_normal_(self.pos_embed, std=0.02)
        if self.cls_token is not None:
            trunc_normal_(self.cls_token, std=0.02)

    @classmethod
    def _argument(cls, cfg: dict, name: str) -> Any:
        """What the base takes for an argument: the config's value or its default."""
        if name in cfg:
            return cfg[name]
        for kind in cls.base_class.__mro__:
            parameter = inspect.signature(kind).parameters.get(name)
            if parameter is not None:
                return parameter.default
        raise AttributeError(f'{cls.base_class.__name__} takes no {name}')

    @classmethod
    def _arch_settings(cls, cfg: dict) -> dict:
        arch = cls._argument(cfg, 'arch')
        if isinstance(arch, str):
            known = cls.base_class.arch_zoo
            if arch.lower() not in known:
                raise ValueError(f'base.arch={arch!r} is none of {sorted(known)}')
            return known[arch.lower()]
        if not isinstance(arch, dict) or not set(arch) >= ARCH_KEYS:
            raise ValueError(
                f'base.arch must be a name or a dict with {sorted(ARCH_KEYS)}, found {arch!r}'
            )
        return arch

    @classmethod
    def _out_indices(cls, cfg: dict, dims: list[int]) -> list[int]:
        """A new list of the ``out_indices``, each of a block whose output is usable."""
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
        cls, cfg: dict, arch: dict, dims: list[int], heads: list[int]
    ) -> list[dict]:
        """The base's ``layer_cfgs``: the user's, completed by each block's size."""
        given = cls._argument(cfg, 'layer_cfgs')
        given = [given] * len(dims) if isinstance(given, dict) else given
        if len(given) != len(dims):
            raise ValueError(f'base.layer_cfgs has {len(given)} entries for {len(dims)} blocks')
        sizes = ARCH_KEYS.intersection(key for layer in given for key in layer)
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


class WideLastDistilled(WideLast, mmpretrain.DistilledVisionTransformer):
    """WideLast on DeiT with a distillation token."""

    base_class = mmpretrain.DistilledVisionTransformer

    def _init_tokens(self) -> None:
        super()._init_tokens()
        trunc_normal_(self.dist_token, std=0.02)


class WideLastDeiT3(WideLast, mmpretrain.DeiT3):
    """WideLast on DeiT III."""

    base_class = mmpretrain.DeiT3

    def _widen(self, cfg: dict) -> None:
        super()._widen(cfg)
        # MMPretrain's DeiT3 block normalises with its ln1 before the FFN too and never
        # uses its ln2: trainable, it would stop DDP without find_unused_parameters.
        for block in self.layers:
            block.ln2.requires_grad_(False)


class WideLastViTEVA02(WideLast, mmpretrain.ViTEVA02):
    """WideLast on EVA-02."""

    base_class = mmpretrain.ViTEVA02

    def _check_heads(self, arch: dict, dims: list[int], heads: list[int]) -> None:
        size = arch['embed_dims'] // arch['num_heads']
        for index, (width, number) in enumerate(zip(dims, heads, strict=True)):
            if width // number != size:
                raise ValueError(
                    f"ViTEVA02's rotary position embedding fits the base's head size, "
                    f'{size}: block {index} has width={width} with num_heads={number}, '
                    f'so {width // number}'
                )


WIDENED = {
    kind.base_class: kind
    for kind in (WideLast, WideLastDistilled, WideLastDeiT3, WideLastViTEVA02)
}


def _project(block: nn.Module, inputs: tuple) -> tuple:
    """Forward pre-hook of a block that is wider than its input (B, L, C_in)."""
    tokens, *rest = inputs
    return (block.proj_norm(block.proj_in(tokens)), *rest)


def _base_class(base: dict) -> type:
    """The MMPretrain class that ``base`` is a config of, if WideLast can widen it."""
    if not isinstance(base, dict) or 'type' not in base:
        raise TypeError(f'base must be a config dict with a type, found {base!r}')
    kind = name = base['type']
    if isinstance(name, str):
        scope, _, short = name.rpartition('.')
        kind = MMPRETRAIN_MODELS.get(short) if scope in ('', 'mmpretrain') else None
    if kind in WIDENED:
        return kind
    supported = ', '.join(cls.__name__ for cls in WIDENED)
    raise ValueError(
        f'base.type={name!r} cannot be widened: {_why_not(kind)}. Supported: '
        f"{supported}, all of MMPretrain's"
    )


def _why_not(kind: Any) -> str:
    """Why a backbone is refused, in a clause."""
    if not isinstance(kind, type):
        return "MMPretrain's registry has no such class"
    if kind.__module__.startswith('mmpretrain.models.selfsup'):
        return 'it is a backbone for self-supervised pre-training'
    return 'WideLast does not know its blocks'
