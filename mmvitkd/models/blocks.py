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
            if isinstance(blocks, nn.ModuleList):
                return [f'backbone.{name}.{i}' for i in range(len(blocks))]
    if isinstance(model, TimmClassifier):
        return [f'model.{info["module"]}' for info in _feature_info(model.model)]
    return []


def _feature_info(model: nn.Module) -> list[dict[str, Any]]:
    """One entry a block; timm keeps a plain list, or a wrapper around one."""
    info = getattr(model, 'feature_info', [])
    return list(getattr(info, 'info', info))
