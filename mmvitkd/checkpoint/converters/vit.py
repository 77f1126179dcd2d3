"""Rename the keys of Vision Transformers between timm and MMPretrain."""

from torch import Tensor

from .renaming import Names, rename, reverse

# timm's and MMPretrain's names of a backbone without its last norm.
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
# timm normalises before or after pooling; MMPretrain's ln2 follows 'avg_featmap'.
TOP: Names = [
    ('norm.{p}', 'backbone.ln1.{p}'),
    ('fc_norm.{p}', 'backbone.ln2.{p}'),
    ('pre_logits.fc.{p}', 'head.layers.pre_logits.{p}'),
    ('head.{p}', 'head.layers.head.{p}'),
    ('head_dist.{p}', 'head.layers.head_dist.{p}'),
]
VIT: Names = [*TRUNK, *TOP]

# Accepted, never written: the names of DeiT III's own release, and of LinearClsHead.
ALSO_TIMM: Names = [
    ('blocks.{n}.gamma_1', 'backbone.layers.{n}.attn.gamma1.weight'),
    ('blocks.{n}.gamma_2', 'backbone.layers.{n}.ffn.gamma2.weight'),
]
ALSO_MMPRETRAIN: Names = [('head.{p}', 'head.fc.{p}')]


def timm_to_mmpretrain(weights: dict[str, Tensor], names: Names = VIT) -> dict[str, Tensor]:
    """Rename a ViT or DeiT of timm for MMPretrain's ImageClassifier.

    The head becomes a VisionTransformerClsHead's, or a DeiTClsHead's if there are two.

    Args:
        weights: timm's state dict. Its tensors are shared with the result.
        names: timm's names and MMPretrain's.

    Raises:
        ValueError: If MMPretrain has no counterpart of a key, such as register tokens.
    """
    wanted = "the keys of timm's VisionTransformer that MMPretrain has"
    return rename(weights, [*names, *ALSO_TIMM], wanted)


def mmpretrain_to_timm(weights: dict[str, Tensor], names: Names = VIT) -> dict[str, Tensor]:
    """Undo :func:`timm_to_mmpretrain`.

    Args:
        weights: The state dict of an ImageClassifier, with a VisionTransformerClsHead, a
            DeiTClsHead or a LinearClsHead, or that of a backbone alone. Its tensors are
            shared with the result.
        names: timm's names and MMPretrain's.

    Raises:
        ValueError: If timm has no counterpart of a key, such as a neck's.
    """
    wanted = "the keys of MMPretrain's VisionTransformer that timm has"
    return rename(with_prefix(weights), reverse([*names, *ALSO_MMPRETRAIN]), wanted)


def with_prefix(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a classifier's weights as they are, those of a backbone alone with a prefix."""
    if any(key.startswith(('backbone.', 'head.', 'neck.')) for key in weights):
        return weights
    return {f'backbone.{key}': value for key, value in weights.items()}
