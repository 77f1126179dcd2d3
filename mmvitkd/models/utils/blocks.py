"""Where a classifier keeps its blocks, or its stages, by the names of their modules."""

from typing import Any

from mmpretrain.models import ImageClassifier, TimmClassifier
from torch import nn


def blocks_of(model: Any) -> list[str]:
    """The names of a classifier's blocks in their order; of a staged model, its stages.

    MMPretrain's backbones hold them as ``layers`` or ``stages``; timm lists those of every
    model in ``feature_info``. Empty for what is neither, or says nothing.
    """
    if isinstance(model, ImageClassifier):
        for name in ('layers', 'stages'):
            blocks = getattr(model.backbone, name, None)
            if isinstance(blocks, nn.ModuleList) and not isinstance(blocks[0], nn.ModuleList):
                return [f'backbone.{name}.{i}' for i in range(len(blocks))]
    if isinstance(model, TimmClassifier):
        names = [f'model.{info["module"]}' for info in _feature_info(model.model)]
        modules = dict(model.named_modules())
        # Of some models timm names what is no module, or a list that nobody calls.
        if all(not isinstance(modules.get(name), nn.ModuleList | None) for name in names):
            return names
    return []


def token_grid_of(model: Any) -> tuple[int, int] | None:
    """(H, W) of the token grid of a ViT's blocks, or None where it is not one for all."""
    if isinstance(model, ImageClassifier) and hasattr(model.backbone, 'layers'):
        grid = getattr(model.backbone, 'patch_resolution', None)
    elif isinstance(model, TimmClassifier):
        embed = getattr(model.model, 'patch_embed', None)
        reductions = {info.get('reduction') for info in _feature_info(model.model)}
        fixed = getattr(embed, 'strict_img_size', False) and len(reductions) == 1
        grid = getattr(embed, 'grid_size', None) if fixed else None
    else:
        grid = None
    return None if grid is None else (int(grid[0]), int(grid[1]))


def _feature_info(model: nn.Module) -> list[dict[str, Any]]:
    """One entry a block; timm keeps a plain list, or a wrapper around one."""
    info = getattr(model, 'feature_info', [])
    return list(getattr(info, 'info', info))
