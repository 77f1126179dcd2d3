"""Read the state dict of a narrow pretrained model under a student's names."""

import re
from math import isqrt

from mmpretrain.models.backbones import DeiT3
from torch import Tensor, nn

from ...checkpoint.converters.key_rules import find_layout
from ...checkpoint.converters.vit import timm_to_mmpretrain, with_prefix
from ...checkpoint.read import student_weights
from ...utils.errors import KeyedValueError

# In the order of their positions.
EXTRA_TOKENS = ('cls_token', 'dist_token')
POSITIONS = ('backbone.pos_embed', 'backbone.absolute_pos_embed')


def narrow_state_dict(path: str, student: nn.Module) -> dict[str, Tensor]:
    """Read a checkpoint of a narrow model; nothing in it is executed.

    Args:
        path: A local file: of MMPretrain (a classifier or its backbone alone), of timm or
            DeiT, or of a distillation, whose student is read. Swin in MMPretrain's names
            only.
        student: An MMPretrain classifier, which is not changed.

    Returns:
        The tensors by MMPretrain's names. Position embeddings have no more positions for
        class and distillation tokens than the student's; their grid is the file's.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or its names are none of these.
    """
    given = student_weights(path, key='student_ckpt')
    try:
        weights = mmpretrain_names(given, student)
    except ValueError as error:
        message = f'{{student_ckpt}}={path!r}: {error}'
        raise KeyedValueError(message, 'student_ckpt') from None
    own = student.state_dict()
    for name in POSITIONS:
        if name in own and name in weights and weights[name].shape != own[name].shape:
            extra = own[name].shape[1] - num_patches(student)
            tokens = sum(f'backbone.{token}' in weights for token in EXTRA_TOKENS)
            weights[name] = _drop_extra_positions(weights[name], tokens, keep=extra)
    return weights


def num_patches(student: nn.Module) -> int:
    """Return the number of patches of the student's grid."""
    height, width = student.backbone.patch_embed.init_out_size
    return int(height * width)


def mmpretrain_names(weights: dict[str, Tensor], student: nn.Module) -> dict[str, Tensor]:
    """Rename the weights of a classifier, or of its backbone alone, as MMPretrain's.

    Args:
        weights: A state dict of MMPretrain, timm or DeiT.
        student: The MMPretrain classifier that they are for.

    Raises:
        ValueError: If the names are none of these.
    """
    if any(re.match(r'layers\.\d+\.blocks\.\d+\.', key) for key in weights):
        raise ValueError(
            "these are the names of timm's Swin or of its authors', which are not converted; "
            "give a file with MMPretrain's names"
        )
    layout = find_layout(weights)  # None for anything but a plain ViT
    if layout == 'timm':
        if isinstance(student.backbone, DeiT3):
            raise ValueError(
                "timm's weights would compute something else in MMPretrain's DeiT3, whose "
                'blocks normalise twice with ln1 and never with ln2'
            )
        return timm_to_mmpretrain(weights)
    if layout not in (None, 'mmpretrain'):
        raise ValueError(
            f'these are the names of {layout}; convert the file to mmpretrain first'
        )
    return _updated_names(with_prefix(weights), student)


def _updated_names(weights: dict[str, Tensor], student: nn.Module) -> dict[str, Tensor]:
    """Update the names of a Swin that was saved by MMClassification, MMPretrain's predecessor.

    MMPretrain renames these itself, but only while loading, after the check of what fits.
    Constant tables that a file lacks are the student's.
    """
    own = student.state_dict()
    last = f'backbone.norm{len(getattr(student.backbone, "stages", ())) - 1}'
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


def _drop_extra_positions(positions: Tensor, tokens: int, keep: int) -> Tensor:
    """Return positions (1, E + N, C) of a square grid with only the first ``keep`` of E.

    E is the number of extra ``tokens``, or 0 if they have no positions (DeiT III).
    """
    number = positions.shape[1]
    for extra in (tokens, 0):
        if number > extra >= keep and isqrt(number - extra) ** 2 == number - extra:
            return positions[:, [*range(keep), *range(extra, number)]]
    return positions
