"""One checkpoint's weights from whatever layout they have to the one that is wanted."""

from typing import NamedTuple

from torch import Tensor

from .missing_keys import missing_between_widths, missing_keys
from .reference_code import kind_of, lift_depth, lift_names, ours_to_released, released_to_ours
from .renaming import listed, rename, reverse
from .vit import VIT, layout_of, mmpretrain_to_timm, timm_to_mmpretrain, with_prefix

Weights = dict[str, Tensor]
TARGETS = ('mmpretrain', 'timm', 'released')


class Converted(NamedTuple):
    """Weights in another layout.

    Attributes:
        layout: The one they had, as :func:`.vit.layout_of` calls it.
        kind: 'Lift', 'WideLast' or 'ViT'.
        weights: The state dict in the layout that was wanted.
        unused: A released Lift's weights that nothing uses, for the way back.
    """

    layout: str
    kind: str
    weights: Weights
    unused: Weights


def convert(weights: Weights, to: str, unused: Weights | None = None) -> Converted:
    """Convert the weights of a Vision Transformer, Lift or WideLast.

    Args:
        weights: The state dict. Its tensors are shared with the result.
        to: One of ``TARGETS``.
        unused: For Lift to the released layout, what an earlier conversion kept apart.

    Raises:
        ValueError: If the layout is unknown or the one that is wanted, if keys are unknown
            or missing, or if the target has no such model.
    """
    layout = layout_of(weights)
    if layout.startswith(to):
        raise ValueError(f'the weights are in the layout {layout} already.')
    ours, kept = _to_ours(weights, layout)
    _check_complete(ours, weights, layout)
    kind = kind_of(ours)
    if to == 'mmpretrain':
        return Converted(layout, kind, ours, kept)
    if to == 'released':
        return Converted(layout, kind, ours_to_released(ours, unused), {})
    if kind != 'ViT':
        raise ValueError(f'this is {kind}, which timm does not have; convert it to released.')
    return Converted(layout, kind, mmpretrain_to_timm(ours), {})


def _to_ours(weights: Weights, layout: str) -> tuple[Weights, Weights]:
    if layout == 'mmpretrain':
        return with_prefix(weights), {}
    if layout == 'timm':
        return timm_to_mmpretrain(weights), {}
    return released_to_ours(weights)


def _check_complete(ours: Weights, weights: Weights, layout: str) -> None:
    """Raise a ValueError that lists what is missing, under the names of the source."""
    depth = lift_depth(weights) if layout == 'released_lift' else 0
    missing = missing_keys(ours, depth) or missing_between_widths(ours)
    if missing and layout != 'mmpretrain':
        names = lift_names(depth) if layout == 'released_lift' else VIT
        missing = list(rename(dict.fromkeys(missing, Tensor()), reverse(names), layout))
    if missing:
        raise ValueError(f'{len(missing)} keys are missing: {listed(missing)}.')
