"""Rename the keys of a ViT, DeiT or DINOv2 of Hugging Face transformers as timm's."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .renaming import Names, rename

Weights = dict[str, Tensor]

# The start of a key that these models have, whatever the name of the trunk before it.
TRANSFORMERS = r'(\w+\.)*encoder\.layer\.\d+\.(norm1|layernorm_before)\.'
PATCHES = 'embeddings.patch_embeddings.projection.weight'
LAYER, BLOCK = 'encoder.layer.{n}', 'blocks.{n}'
QUERY_KEY_VALUE = ('query', 'key', 'value')

TRUNK: Names = [
    ('embeddings.cls_token', 'cls_token'),
    ('embeddings.distillation_token', 'dist_token'),
    ('embeddings.register_tokens', 'reg_token'),
    ('embeddings.position_embeddings', 'pos_embed'),
    ('embeddings.patch_embeddings.projection.{p}', 'patch_embed.proj.{p}'),
    *(
        (f'{LAYER}.attention.attention.{part}.{{p}}', f'{BLOCK}.attn.{part}.{{p}}')
        for part in QUERY_KEY_VALUE
    ),
    (f'{LAYER}.attention.output.dense.{{p}}', f'{BLOCK}.attn.proj.{{p}}'),
    ('layernorm.{p}', 'norm.{p}'),
    # ViT and DeiT
    (f'{LAYER}.layernorm_before.{{p}}', f'{BLOCK}.norm1.{{p}}'),
    (f'{LAYER}.layernorm_after.{{p}}', f'{BLOCK}.norm2.{{p}}'),
    (f'{LAYER}.intermediate.dense.{{p}}', f'{BLOCK}.mlp.fc1.{{p}}'),
    (f'{LAYER}.output.dense.{{p}}', f'{BLOCK}.mlp.fc2.{{p}}'),
    # DINOv2, whose largest has a gated MLP
    (f'{LAYER}.norm1.{{p}}', f'{BLOCK}.norm1.{{p}}'),
    (f'{LAYER}.norm2.{{p}}', f'{BLOCK}.norm2.{{p}}'),
    (f'{LAYER}.layer_scale1.lambda1', f'{BLOCK}.ls1.gamma'),
    (f'{LAYER}.layer_scale2.lambda1', f'{BLOCK}.ls2.gamma'),
    (f'{LAYER}.mlp.fc1.{{p}}', f'{BLOCK}.mlp.fc1.{{p}}'),
    (f'{LAYER}.mlp.fc2.{{p}}', f'{BLOCK}.mlp.fc2.{{p}}'),
    (f'{LAYER}.mlp.weights_in.{{p}}', f'{BLOCK}.mlp.fc1.{{p}}'),
    (f'{LAYER}.mlp.weights_out.{{p}}', f'{BLOCK}.mlp.fc2.{{p}}'),
]
HEADS: Names = [
    ('classifier.{p}', 'head.{p}'),
    ('cls_classifier.{p}', 'head.{p}'),
    ('distillation_classifier.{p}', 'head_dist.{p}'),
]
# The parts of a trunk, and what in them only a pretraining uses.
PARTS = ('embeddings.', 'encoder.', 'layernorm.')
PRETRAINING = ('embeddings.mask_token',)


class Renamed(NamedTuple):
    """Weights with timm's names.

    Attributes:
        weights: The state dict.
        left_out: The keys, by their old names, that timm's model has no place for: other
            heads, and what only a pretraining uses.
    """

    weights: Weights
    left_out: list[str]


def transformers_to_timm(weights: Mapping[str, Tensor]) -> Renamed:
    """Rename the weights of a ViT, DeiT or DINOv2 of transformers, with or without a prefix.

    Query, key and value become one. Where there are register tokens, the class token takes up
    its position embedding, as in timm's models with registers.

    Args:
        weights: The state dict: a trunk, under ``vit.``, ``dinov2.``, ``backbone.`` or alone,
            and perhaps a head, ``classifier.`` or one of the user's own.

    Raises:
        ValueError: If a key of the trunk is unknown, or one of query, key and value missing.
    """
    prefix = next(key for key in weights if key.endswith(PATCHES)).removesuffix(PATCHES)
    inside = tuple(prefix + part for part in PARTS)
    trunk = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(inside)}
    unused = [key for key in trunk if key in PRETRAINING]
    wanted = "the keys of transformers' ViT, DeiT or DINOv2"
    renamed = rename({k: v for k, v in trunk.items() if k not in unused}, TRUNK, wanted)
    heads = _heads(weights, len(weights[prefix + PATCHES]))
    left_out = [key for key in weights if not key.startswith(inside) and key not in heads]
    return Renamed(
        _with_registers(_fused(renamed)) | rename(heads, HEADS, wanted),
        [*(prefix + key for key in unused), *left_out],
    )


def _heads(weights: Mapping[str, Tensor], width: int) -> Weights:
    """Return the tensors of heads that read one token; DINOv2's reads two things."""
    names = [head.removesuffix('.{p}') for head, _ in HEADS]
    fitting = [n for n in names if f'{n}.weight' in weights]
    fitting = [n for n in fitting if weights[f'{n}.weight'].shape[1] == width]
    return {k: v for k, v in weights.items() if k.rpartition('.')[0] in fitting}


def _fused(weights: Weights) -> Weights:
    """Concatenate query, key and value to timm's qkv."""
    fused: Weights = {}
    for key, value in weights.items():
        match = re.fullmatch(r'(blocks\.\d+\.attn\.)(query|key|value)\.(weight|bias)', key)
        if match is None:
            fused[key] = value
        elif match[2] == 'query':
            names = [f'{match[1]}{part}.{match[3]}' for part in QUERY_KEY_VALUE]
            _check_parts(names, weights)
            fused[f'{match[1]}qkv.{match[3]}'] = torch.cat([weights[name] for name in names])
        else:
            _check_parts([f'{match[1]}query.{match[3]}'], weights)
    return fused


def _check_parts(names: list[str], weights: Weights) -> None:
    missing = [name for name in names if name not in weights]
    if missing:
        old = missing[0].replace('blocks.', 'encoder.layer.').replace('.attn', '.attention' * 2)
        raise ValueError(f'{old} is missing: wanted {" and ".join(QUERY_KEY_VALUE)} together.')


def _with_registers(weights: Weights) -> Weights:
    if 'reg_token' not in weights:
        return weights
    positions = weights['pos_embed']
    class_token = weights['cls_token'] + positions[:, :1]
    return {**weights, 'cls_token': class_token, 'pos_embed': positions[:, 1:]}
