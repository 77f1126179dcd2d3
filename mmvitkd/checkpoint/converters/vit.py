"""Vision Transformers between timm's names and MMPretrain's."""

import re
from collections.abc import Iterable

from torch import Tensor

from .renaming import Names, listed, rename, reverse

# timm's name and MMPretrain's, of what lies in a backbone without its last norm.
TRUNK: Names = [
    ('cls_token', 'backbone.cls_token'),
    ('dist_token', 'backbone.dist_token'),
    ('pos_embed', 'backbone.pos_embed'),
    ('patch_embed.proj.{p}', 'backbone.patch_embed.projection.{p}'),
    ('norm_pre.{p}', 'backbone.pre_norm.{p}'),
    ('blocks.{n}.norm1.{p}', 'backbone.layers.{n}.ln1.{p}'),
    ('blocks.{n}.attn.qkv.{p}', 'backbone.layers.{n}.attn.qkv.{p}'),
    ('blocks.{n}.attn.proj.{p}', 'backbone.layers.{n}.attn.proj.{p}'),
    ('blocks.{n}.ls1.gamma', 'backbone.layers.{n}.attn.gamma1.weight'),
    ('blocks.{n}.norm2.{p}', 'backbone.layers.{n}.ln2.{p}'),
    ('blocks.{n}.mlp.fc1.{p}', 'backbone.layers.{n}.ffn.layers.0.0.{p}'),
    ('blocks.{n}.mlp.fc2.{p}', 'backbone.layers.{n}.ffn.layers.1.{p}'),
    ('blocks.{n}.ls2.gamma', 'backbone.layers.{n}.ffn.gamma2.weight'),
]
# What a wide block of WideLast has beside: timm has no such model, the released code has.
WIDE: Names = [
    ('blocks.{n}.proj_in.{p}', 'backbone.layers.{n}.proj_in.{p}'),
    ('blocks.{n}.proj_norm.{p}', 'backbone.layers.{n}.proj_norm.{p}'),
]
# timm normalises before or after it pools; MMPretrain's ln2 is behind 'avg_featmap'.
TOP: Names = [
    ('norm.{p}', 'backbone.ln1.{p}'),
    ('fc_norm.{p}', 'backbone.ln2.{p}'),
    ('pre_logits.fc.{p}', 'head.layers.pre_logits.{p}'),
    ('head.{p}', 'head.layers.head.{p}'),
    ('head_dist.{p}', 'head.layers.head_dist.{p}'),
]
VIT: Names = [*TRUNK, *WIDE, *TOP]

# Read, never written: the names of DeiT III's own release, and of LinearClsHead.
ALSO_TIMM: Names = [
    ('blocks.{n}.gamma_1', 'backbone.layers.{n}.attn.gamma1.weight'),
    ('blocks.{n}.gamma_2', 'backbone.layers.{n}.ffn.gamma2.weight'),
]
ALSO_MMPRETRAIN: Names = [('head.{p}', 'head.fc.{p}')]

# The first that one key begins with is the layout.
MARKS = {
    'released_lift': r'base_model\.|projections\.\d+\.',
    'released_widelast': r'blocks\.\d+\.proj_in\.',
    'timm': r'blocks\.\d+\.norm1\.',
    'mmpretrain': r'(backbone\.)?layers\.\d+\.ln1\.',
}


def layout_of(weights: Iterable[str]) -> str:
    """Whose names a Vision Transformer's weights have.

    Args:
        weights: A state dict, or its keys.

    Returns:
        'mmpretrain' (ours too), 'timm' (DeiT's too), or 'released_lift' and
        'released_widelast', the names of the code of arXiv 2511.15572.

    Raises:
        ValueError: If they are none of these.
    """
    keys = list(weights)
    for layout, mark in MARKS.items():
        if any(re.match(mark, key) for key in keys):
            return layout
    raise ValueError(
        f"These are not a Vision Transformer's weights in any of the layouts "
        f'{", ".join(sorted(MARKS))}; found the keys {listed(keys)}.'
    )


def timm_to_mmpretrain(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """A ViT or DeiT of timm, for MMPretrain's ImageClassifier.

    The head is a VisionTransformerClsHead's, or a DeiTClsHead's where there are two. A
    wide block's ``proj_in`` and ``proj_norm`` (WideLast) keep their names.

    Args:
        weights: timm's state dict. Its tensors are shared with the result.

    Raises:
        ValueError: If there are keys for which MMPretrain has no place, such as registers.
    """
    names = [*VIT, *ALSO_TIMM]
    return rename(weights, names, "the keys of timm's VisionTransformer that MMPretrain has")


def mmpretrain_to_timm(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The way back from :func:`timm_to_mmpretrain`.

    Args:
        weights: The state dict of an ImageClassifier, with a VisionTransformerClsHead, a
            DeiTClsHead or a LinearClsHead, or that of a backbone alone. Its tensors are
            shared with the result.

    Raises:
        ValueError: If there are keys for which timm has no place, such as a neck's.
    """
    wanted = "the keys of MMPretrain's VisionTransformer that timm has"
    return rename(with_prefix(weights), reverse([*VIT, *ALSO_MMPRETRAIN]), wanted)


def with_prefix(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights as a classifier has them, where they may be a backbone's alone."""
    if any(key.startswith(('backbone.', 'head.', 'neck.')) for key in weights):
        return weights
    return {f'backbone.{key}': value for key, value in weights.items()}
