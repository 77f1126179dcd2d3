"""Rename the weights of a classifier or its backbone as MMPretrain's, for one model."""

import re
from logging import INFO
from typing import Any

from mmengine.logging import print_log
from mmpretrain.models.backbones import DeiT3
from torch import Tensor, nn

from ...checkpoint.converters.find_trunk import find_trunk
from ...checkpoint.converters.vit import timm_to_mmpretrain, with_prefix
from ...utils.errors import listed

SHOWN = 10


def mmpretrain_names(weights: dict[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Rename the weights of a classifier, or of its backbone alone, as MMPretrain's.

    Args:
        weights: A state dict of MMPretrain, timm, DeiT or transformers, also under a prefix.
            What is left out, such as the head of another task next to it, is logged.
        model: The MMPretrain classifier that they are for.

    Raises:
        ValueError: If the names are none of these.
    """
    if any(re.match(r'layers\.\d+\.blocks\.\d+\.', key) for key in weights):
        raise ValueError(
            "these are the names of timm's Swin or of its authors', which are not converted; "
            "give a file with MMPretrain's names"
        )
    trunk = find_trunk(weights)  # of no layout for anything but a plain ViT
    log_left_out(trunk.left_out)
    if trunk.names == 'timm':
        if isinstance(model.backbone, DeiT3):
            raise ValueError(
                "timm's weights would compute something else in MMPretrain's DeiT3, whose "
                'blocks normalise twice with ln1 and never with ln2'
            )
        return timm_to_mmpretrain(trunk.weights)
    if trunk.names not in (None, 'mmpretrain'):
        raise ValueError(
            f'these are the names of {trunk.names}; convert the file to mmpretrain first'
        )
    return _updated_names(with_prefix(trunk.weights), model)


def log_left_out(names: list[str]) -> None:
    """Log the tensors of a file that are no part of the Vision Transformer in it."""
    if names:
        text = f'Left out of the file, as no part of the ViT: {listed(names, SHOWN)}'
        print_log(text, 'current', INFO)


def _updated_names(weights: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Update the names of a Swin that was saved by MMClassification, MMPretrain's predecessor.

    MMPretrain renames these itself, but only while loading, after the check of what fits.
    Constant tables that a file lacks are the model's.
    """
    own: dict[str, Tensor] = model.state_dict()
    last = f'backbone.norm{len(getattr(model.backbone, "stages", ())) - 1}'
    updated = {}
    for key, value in weights.items():
        if key.startswith('backbone.norm.') and f'{last}.weight' in own:
            key = key.replace('backbone.norm', last)
        if not key.endswith('.attn_mask'):
            updated[key] = value
    for key, value in own.items():
        if key.endswith('.relative_position_index'):
            updated.setdefault(key, value)
    return updated
