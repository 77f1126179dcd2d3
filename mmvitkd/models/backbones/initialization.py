"""Initialise a ViT's layers as timm does, under MMEngine's ``init_weights``."""

from mmengine.model import BaseModule
from mmengine.model.weight_init import update_init_info
from torch import nn
from torch.nn.init import trunc_normal_


def init_linears_and_norms(model: nn.Module) -> None:
    """Draw Linears from a truncated normal of std 0.02; set biases to 0, LayerNorms to 1, 0."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()


def mark_blocks_as_initialised(backbone: nn.Module) -> None:
    """Keep MMPretrain's blocks from initialising layers again; record who initialised them.

    A submodule that the config gives an ``init_cfg`` of its own still runs it.
    """
    for module in backbone.modules():
        if module is not backbone and isinstance(module, BaseModule):
            module.is_init = not any(
                getattr(part, 'init_cfg', None) for part in module.modules()
            )
    if hasattr(backbone, '_params_init_info'):
        update_init_info(backbone, f'Initialized by {type(backbone).__name__}')
