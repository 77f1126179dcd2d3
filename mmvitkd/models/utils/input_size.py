"""The image size that a classifier is made for."""

from collections.abc import Sequence

from torch import nn


def input_size_of(model: nn.Module) -> tuple[int, int] | None:
    """(H, W) in pixels that a classifier states, or None where it takes any size.

    MMPretrain's backbones say it themselves or in their patch embedding, timm's models in
    their patch embedding, or in ``pretrained_cfg`` where the size is fixed. A timm model
    with ``dynamic_img_size`` takes any.
    """
    backbone, network = getattr(model, 'backbone', None), getattr(model, 'model', None)
    if backbone is not None:
        embed = getattr(backbone, 'patch_embed', None)
        return _pair(getattr(backbone, 'img_size', getattr(embed, 'init_input_size', None)))
    embed = getattr(network, 'patch_embed', None)
    if embed is not None and hasattr(embed, 'img_size'):
        return _pair(embed.img_size) if getattr(embed, 'strict_img_size', True) else None
    stated = getattr(network, 'pretrained_cfg', None) or {}
    return _pair(stated.get('input_size')) if stated.get('fixed_input_size') else None


def _pair(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """(H, W) of a side, of (H, W), or of (C, H, W)."""
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (int(size[-2]), int(size[-1]))
