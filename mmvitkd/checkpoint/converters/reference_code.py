"""The released Lift and WideLast students to ours and back (arXiv 2511.15572).

WideLast is a ViT in timm's names with a ``proj_in`` and a ``proj_norm`` in each wide block,
so :mod:`.vit` has its table. Lift is a whole timm model under ``base_model.``, of which the
last norm and the head are never used, and the projection beside it. Our Lift has no such
dead weights: they are kept apart, so that the way back restores the file to the bit.
"""

import re
from collections.abc import Iterable

import torch
from torch import Tensor

from .renaming import Names, listed, rename, reverse
from .vit import TRUNK, layout_of, mmpretrain_to_timm, timm_to_mmpretrain

UNUSED = tuple(
    f'base_model.{name}.{p}' for name in ('norm', 'head') for p in ('weight', 'bias')
)
# Read, never written: a Lift may have been given MMPretrain's head with hidden layers.
ALSO_OURS: Names = [('head.layers.head.{p}', 'head.{p}')]


def released_to_ours(
    weights: dict[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A released student, for ours with the ``LiftProjector`` neck or ``WideLast``.

    Args:
        weights: The released state dict. Its tensors are shared with the results.

    Returns:
        The student's state dict, and what it has no place for because nothing uses it
        (Lift's ``base_model.norm`` and ``base_model.head``, under these names).

    Raises:
        ValueError: If there are unknown keys, or it is neither of the two.
    """
    if layout_of(weights) == 'released_widelast':
        return timm_to_mmpretrain(weights), {}
    names = lift_names(lift_depth(weights))
    unused = {key: value for key, value in weights.items() if key in UNUSED}
    used = {key: value for key, value in weights.items() if key not in UNUSED}
    return rename(used, names, "the released Lift's keys"), unused


def ours_to_released(
    weights: dict[str, Tensor], unused: dict[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """The way back from :func:`released_to_ours`.

    Args:
        weights: The state dict of our student. Its tensors are shared with the result.
        unused: Lift's weights that nothing uses, or None for those that
            :func:`starting_unused` makes.

    Raises:
        ValueError: If there are unknown keys, or it is neither Lift nor WideLast.
    """
    kind = kind_of(weights)
    if kind == 'WideLast':
        return mmpretrain_to_timm(weights)
    if kind != 'Lift':
        raise ValueError(
            f'this is neither Lift (keys neck.*) nor WideLast (keys *.proj_in.*), the two '
            f'that are released; found the keys {listed(weights)}.'
        )
    names = [*reverse(lift_names(_number(r'backbone\.layers', weights))), *ALSO_OURS]
    lift = rename(weights, names, 'the keys of a ViT, a LiftProjector and a linear head')
    base = {key: value for key, value in lift.items() if key.startswith('base_model.')}
    return base | (starting_unused(lift) if unused is None else unused) | lift


def starting_unused(lift: dict[str, Tensor]) -> dict[str, Tensor]:
    """What Lift never uses, for a student that was trained without it: 1, 0 and zeros.

    Args:
        lift: The rest of the released state dict.

    Returns:
        ``base_model.norm`` of (C,) and ``base_model.head`` of (K, C), where the blocks are C
        wide and K is the number of classes.
    """
    position = lift['base_model.pos_embed'][0, 0]
    bias = torch.zeros_like(lift['head.bias'])
    head = bias.new_zeros(len(bias), len(position))
    values = (torch.ones_like(position), torch.zeros_like(position), head, bias)
    return dict(zip(UNUSED, values, strict=True))


def kind_of(weights: Iterable[str]) -> str:
    """'Lift', 'WideLast' or 'ViT': what a student with our names is."""
    keys = list(weights)
    if any(key.startswith('neck.') for key in keys):
        return 'Lift'
    return 'WideLast' if any('.proj_in.' in key for key in keys) else 'ViT'


def lift_depth(weights: Iterable[str]) -> int:
    """The number of blocks of a released Lift, which projects the output of the last.

    Raises:
        ValueError: If it projects none, or has blocks behind the one that it projects.
    """
    keys = list(weights)
    depth, blocks = _number('projections', keys), _number(r'base_model\.blocks', keys)
    if depth == 0 or depth < blocks:
        raise ValueError(
            f'wanted projections.{max(blocks, 1) - 1}.weight, of the last block of Lift; '
            f'found the keys {listed(key for key in keys if "base_model" not in key)}.'
        )
    return depth


def lift_names(depth: int) -> Names:
    """The released Lift's names and ours, of a student of ``depth`` blocks."""
    last = depth - 1
    return [
        *((f'base_model.{timm}', ours) for timm, ours in TRUNK),
        (f'projections.{last}.weight', 'neck.proj.weight'),
        (f'layer_norms.{last}.{{p}}', 'neck.norm.{p}'),
        ('head.{p}', 'head.fc.{p}'),
    ]


def _number(prefix: str, keys: Iterable[str]) -> int:
    """How many numbered parts there are, by the highest number."""
    matches = (re.match(rf'{prefix}\.(\d+)\.', key) for key in keys)
    return max((int(match[1]) + 1 for match in matches if match), default=0)
