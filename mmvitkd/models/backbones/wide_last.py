"""WideLast: a ViT whose last blocks are as wide as the teacher's features."""

import inspect
from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS

from ...registry import MODELS
from ...utils.deprecation import renamed_arguments
from ..utils.remedy import Remedy
from .width_schedule import block_widths

# The subclass of WideLast for each class of MMPretrain.
WIDENED: dict[type, type['WideLast']] = {}


@MODELS.register_module()
class WideLast(Remedy, BaseModule):  # type: ignore[misc]  # untyped base
    """A registered backbone with its last blocks widened (arXiv 2511.15572, WideLast).

    A block that is wider than its input first applies ``proj_in`` (Linear without
    bias) and ``proj_norm`` (the block's own kind of norm), then is the base's block at
    its new width, MLP ratio kept; the final norm has the last block's width. Everything
    else is the base: ``forward``, ``out_type``, drop-path, layer scale,
    ``frozen_stages``, resized position embeddings, ``get_layer_depth`` and every
    parameter name. New names are, after the block's own (``layers.N``, in Swin
    ``stages.S.blocks.N``), ``proj_in.weight`` and ``proj_norm.*``.

    In Swin the last block is the last one of the last stage, behind every downsampling:
    the wide blocks are counted within that stage, at most its depth, and keep their
    window, shift and drop-path. The norm of the last
    stage's output, ``norm3`` with four stages, has the new width; the other stages and
    their outputs are the base's.

    ``init_weights()`` initialises as published: truncated normal of std 0.02 for every
    Linear, for ``pos_embed`` and the class and distillation tokens, in Swin for its
    tables of position biases; zero biases; norms 1 and 0. An ``init_cfg`` runs after it,
    ``Pretrained`` last. The head is the config's.

    The built object is a WideLast and an instance of the base's class.

    Args:
        base: Config of MMPretrain's ``VisionTransformer``, ``DeiT3``, ``ViTEVA02``,
            ``DistilledVisionTransformer`` or ``SwinTransformer``, with or without
            ``mmpretrain.`` in its type. (Not ``mmvitkd.VisionTransformer``: it differs in
            initialisation alone, and WideLast brings its own.)
        width: Width of the last block, or one width for each wide block. As published,
            the teacher's.
        num_heads: Heads of the wide blocks, one number or one for each; None leaves
            them to the schedule.
        num_wide_blocks: Number of wide blocks, counted from the last.
        schedule: 'heads_step', 'fixed_step', 'heads_linear' or 'fixed_linear', see
            :func:`block_widths`; None is 'heads_step' unless ``width`` is a list or
            ``num_heads`` is given.
        init_cfg: MMEngine's initialisation config; may stand in ``base`` instead.

    Attributes:
        block_dims: Width of every block; of Swin's, through all stages.
        block_heads: Number of heads of every block.
        widened: The blocks wider than the base's, and the norms after them.

    Shapes:
        Input (B, 3, H, W). Output, a tuple with an entry for each of ``out_indices``,
        by ``out_type``, C being that block's width: 'cls_token' (B, C), from
        ``DistilledVisionTransformer`` a pair of them; 'raw' (B, E + N, C) with E extra
        tokens; 'featmap' (B, C, h, w); 'avg_featmap' (B, C). From Swin, whose
        ``out_indices`` count stages, (B, C, h, w).

    Raises:
        TypeError: If ``base`` or a width is of the wrong type.
        ValueError: If something does not fit; the message names the config key, what was
            found and what was wanted.
    """

    # Set by each subclass: the class it widens, and the keys of its ``arch``.
    base_class: Any
    arch_keys: frozenset[str]

    block_dims: tuple[int, ...]
    block_heads: tuple[int, ...]
    timm_lacks = 'model whose last blocks are wider than the others (WideLast)'

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register the subclass for the class that it widens."""
        super().__init_subclass__(**kwargs)
        WIDENED.setdefault(cls.base_class, cls)

    def __new__(
        cls, base: dict[str, Any] | None = None, *args: Any, **kwargs: Any
    ) -> 'WideLast':
        """Choose the subclass that widens the base's class."""
        # Copying and unpickling call this without arguments, on the right class.
        kind = WIDENED[_base_class(base)] if base is not None and cls is WideLast else cls
        instance: WideLast = super().__new__(kind)
        return instance

    @renamed_arguments(num_wide='num_wide_blocks')
    def __init__(
        self,
        base: dict[str, Any],
        width: int | Sequence[int],
        num_heads: int | Sequence[int] | None = None,
        num_wide_blocks: int = 1,
        schedule: str | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
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
                raise ValueError('init_cfg is given twice: in base and next to it')
            cfg['init_cfg'] = init_cfg
        arch = self._arch_settings(cfg)
        dims, heads = self._block_widths(arch, width, num_heads, num_wide_blocks, schedule)
        cfg.update(self._base_settings(cfg, arch, dims, heads))
        super().__init__(**cfg)
        self._widen(cfg, dims, heads)

    @staticmethod
    def _block_widths(arch: dict[str, Any], *settings: Any) -> tuple[list[int], list[int]]:
        """Return :func:`block_widths` of the blocks that can be wide."""
        return block_widths(arch, *settings)

    @classmethod
    def _base_settings(
        cls, cfg: dict[str, Any], arch: dict[str, Any], dims: list[int], heads: list[int]
    ) -> dict[str, Any]:
        """Return the arguments of the base that make its blocks as wide as ``dims``."""
        raise NotImplementedError

    def _widen(self, cfg: dict[str, Any], dims: list[int], heads: list[int]) -> None:
        """Add the input projections; give the final norms the last width."""
        raise NotImplementedError

    @classmethod
    def _argument(cls, cfg: dict[str, Any], name: str) -> Any:
        """Return the config's value of an argument of the base, or its default."""
        if name in cfg:
            return cfg[name]
        for kind in cls.base_class.__mro__:
            parameter = inspect.signature(kind).parameters.get(name)
            if parameter is not None:
                return parameter.default
        raise AttributeError(f'{cls.base_class.__name__} takes no {name}')

    @classmethod
    def _arch_settings(cls, cfg: dict[str, Any]) -> dict[str, Any]:
        """Return the base's own sizes, ``arch`` spelled out."""
        arch = cls._argument(cfg, 'arch')
        if isinstance(arch, str):
            known: dict[str, dict[str, Any]] = cls.base_class.arch_zoo
            if arch.lower() not in known:
                raise ValueError(f'base.arch={arch!r} is none of {sorted(known)}')
            return known[arch.lower()]
        if not isinstance(arch, dict) or not set(arch) >= cls.arch_keys:
            raise ValueError(
                f'base.arch must be a name or a dict with {sorted(cls.arch_keys)}, '
                f'found {arch!r}'
            )
        return arch


def _base_class(base: dict[str, Any]) -> type:
    """Return the MMPretrain class that ``base`` configures, if WideLast can widen it."""
    if not isinstance(base, dict) or 'type' not in base:
        raise TypeError(f'base must be a config dict with a type, found {base!r}')
    kind = name = base['type']
    if isinstance(name, str):
        scope, _, short = name.rpartition('.')
        kind = MMPRETRAIN_MODELS.get(short) if scope in ('', 'mmpretrain') else None
    if isinstance(kind, type) and kind in WIDENED:
        return kind
    supported = ', '.join(sorted(cls.__name__ for cls in WIDENED))
    raise ValueError(
        f'base.type={name!r} cannot be widened: {_refusal_reason(kind)}. Supported: '
        f"{supported}, all of MMPretrain's"
    )


def _refusal_reason(kind: Any) -> str:
    """Return a clause that says why a backbone is refused."""
    if not isinstance(kind, type):
        return "MMPretrain's registry has no such class"
    if kind.__module__.startswith('mmpretrain.models.selfsup'):
        return 'it is a backbone for self-supervised pre-training'
    return 'WideLast does not support its blocks'
