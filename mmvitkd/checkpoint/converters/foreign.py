"""Recognise weights of known models that are not converted; say what to give instead."""

import re
from collections.abc import Iterable

TIMM = "As a teacher take timm's, such as"
# A regular expression for a key that only these have, what they are, and what to do.
FOREIGN: tuple[tuple[str, str], ...] = (
    (
        r'(.*\.)?(vision_model|text_model)\.encoder\.layers\.\d+\.self_attn\.',
        f"transformers' CLIP or SigLIP. {TIMM} timm:vit_base_patch16_clip_224.openai or "
        'timm:vit_base_patch16_siglip_224',
    ),
    (
        r'(.*\.)?transformer\.resblocks\.\d+\.',
        "OpenAI's CLIP or OpenCLIP. As a teacher timm converts them: "
        "teacher='timm:vit_base_patch16_clip_224' with this file",
    ),
    (
        r'(.*\.)?encoder\.layers\.encoder_layer_\d+\.',
        "torchvision's ViT. Give timm's or MMPretrain's names",
    ),
    (
        r'(.*\.)?layer\.\d+\.attention\.q_proj\.',
        f"transformers' DINOv3. {TIMM} timm:vit_small_patch16_dinov3.lvd1689m",
    ),
    (
        r'(.*\.)?encoder\.layers\.\d+\.blocks\.\d+\.layernorm_before\.',
        "transformers' Swin. Give MMPretrain's names",
    ),
    (
        r'(.*\.)?layers\.\d+\.blocks\.\d+\.(attn|norm1)\.',
        "timm's Swin or its authors'. Give MMPretrain's names, or as a teacher take timm:NAME",
    ),
    (
        r'(.*\.)?blocks\.\d+\.\d+\.norm1\.',
        "DINOv2's training in chunks of blocks. Give its file for evaluation, without chunks",
    ),
    (r'(.*\.)?layer\d\.\d+\.conv\d\.', 'a ResNet, which has no blocks of tokens'),
    (r'(.*\.)?Transformer/encoderblock_\d+/', f"Google's ViT for JAX. {TIMM} an augreg one"),
)


def foreign_hint(keys: Iterable[str]) -> str:
    """Return what these keys are of and what to give instead, in a sentence, or ''.

    Args:
        keys: A state dict, or its keys.
    """
    keys = list(keys)
    for pattern, text in FOREIGN:
        if any(re.match(pattern, key) for key in keys):
            return f'These are the names of {text}.'
    return ''
