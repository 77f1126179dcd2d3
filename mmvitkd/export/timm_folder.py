"""Write a student as a folder that ``timm.create_model('local-dir:FOLDER')`` reads."""

import math
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
from mmpretrain.models import (
    DeiTClsHead,
    DistilledVisionTransformer,
    ImageClassifier,
    LinearClsHead,
    TimmClassifier,
    VisionTransformerClsHead,
)
from mmpretrain.models import VisionTransformer as PlainVisionTransformer
from timm.models._hub import save_for_hf
from torch import nn

from ..checkpoint.converters.vit import mmpretrain_to_timm
from ..checkpoint.integrity import seal
from ..models.backbones import VisionTransformer
from ..models.students import ImageEncoder
from ..models.utils.remedy import remedies_of
from .image_input import ImageInput
from .parity import check_outputs
from .student import FormatUnavailableError, Student

TOLERANCE = 1e-5
# timm's names for ViTs of these widths; every argument is given, so any would do.
NAMES = {192: 'vit_tiny_patch16_224', 384: 'vit_small_patch16_224', 768: 'vit_base_patch16_224'}
DISTILLED = 'deit_tiny_distilled_patch16_224'
HEADS = (VisionTransformerClsHead, DeiTClsHead, LinearClsHead)
# Fields of timm's metadata that are about its own weights under that name.
SOURCE = ('license', 'origin_url', 'paper_name', 'paper_ids', 'notes', 'description')
# Arguments of MMPretrain's TimmClassifier that are not timm's.
WRAPPER = ('type', '_scope_', 'model_name', 'loss', 'train_cfg', 'with_cp', 'data_preprocessor')


def write_timm(student: Student, folder: Path) -> None:
    """Write the student in timm's layout, read it back with timm and compare the outputs.

    Without a head, the embedding is what timm's model returns, and the features are the patch
    tokens of its ``forward_features``.

    Args:
        student: A ViT or distilled DeiT of MMPretrain or ours, or a model of timm's own.
        folder: Where ``config.json`` and ``model.safetensors`` go; removed if outputs differ.

    Raises:
        FormatUnavailableError: If timm has no such architecture, or its outputs differ.
    """
    if student.image_input.channel_order != 'RGB':
        raise FormatUnavailableError(
            'timm gives its models RGB images, and this student takes BGR'
        )
    name, arguments, weights = _architecture(student)
    overlay = _pretrained_cfg(student)
    model = timm.create_model(name, pretrained_cfg_overlay=overlay, **arguments)
    try:
        model.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise FormatUnavailableError(f"timm's {name} does not fit. {error}") from None
    names = {'label_names': list(student.classes)} if student.classes is not None else {}
    save_for_hf(model, folder, names, arguments, safe_serialization=True)
    seal(folder / 'model.safetensors')
    exported = timm.create_model(f'local-dir:{folder}', pretrained=True).eval()
    try:
        run = exported if student.num_classes else partial(_encode, exported)
        check_outputs(student, run, TOLERANCE, "timm's model")
    except ValueError as error:
        shutil.rmtree(folder)
        raise FormatUnavailableError(str(error)) from None


def _encode(model: Any, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a model of timm without a classifier makes of images: see `ENCODED`."""
    return model(images), model.forward_features(images)[:, model.num_prefix_tokens :]


def _architecture(student: Student) -> tuple[str, dict[str, Any], dict[str, torch.Tensor]]:
    """Return the student's name in timm, the arguments that build it, and its weights."""
    model = student.model
    if isinstance(model, TimmClassifier):
        config = student.config['model']
        arguments = {k: v for k, v in config.items() if k not in WRAPPER}
        return config['model_name'], arguments, model.model.state_dict()
    backbone = _plain_vit(model)
    if tuple(backbone.img_size) != student.image_input.size:
        raise FormatUnavailableError(
            f'it is made for images of {backbone.img_size} and tested on '
            f'{student.image_input.size}, which timm would refuse'
        )
    distilled = isinstance(backbone, DistilledVisionTransformer)
    arch = backbone.arch_settings
    width, block = arch['embed_dims'], backbone.layers[0]
    arguments = dict(
        img_size=list(backbone.img_size),
        patch_size=list(backbone.patch_embed.projection.kernel_size),
        embed_dim=width,
        depth=arch['num_layers'],
        num_heads=arch['num_heads'],
        mlp_ratio=arch['feedforward_channels'] / width,
        qkv_bias=block.attn.qkv.bias is not None,
        init_values=1.0 if hasattr(block.attn.gamma1, 'weight') else None,
        pre_norm=not isinstance(backbone.pre_norm, nn.Identity),
        num_classes=student.num_classes,
    )
    name = DISTILLED if distilled else NAMES.get(width, NAMES[192])
    return name, arguments, mmpretrain_to_timm(model.state_dict())


def _plain_vit(model: nn.Module) -> Any:
    """Return the backbone of a ViT of equal blocks whose class token is what counts."""
    reason = _refusal_reason(model)
    if reason:
        raise FormatUnavailableError(f'timm has no {reason}')
    return model.backbone


def _refusal_reason(model: nn.Module) -> str:
    """Return what timm does not have; an empty string for a plain ViT."""
    for remedy in remedies_of(model).values():
        return remedy.timm_lacks or f'model with a {type(remedy).__name__}'
    backbone: Any = getattr(model, 'backbone', None)
    neck, head = getattr(model, 'neck', None), getattr(model, 'head', None)
    plain = (PlainVisionTransformer, VisionTransformer, DistilledVisionTransformer)
    if not isinstance(model, ImageClassifier) or type(backbone) not in plain:
        return f'model that is known to equal a {type(backbone or model).__name__}'
    if neck is not None:
        return f'ViT with a {type(neck).__name__} between its blocks and its head'
    encodes = isinstance(model, ImageEncoder)
    if backbone.out_type != ('raw' if encodes else 'cls_token') or not backbone.final_norm:
        return f'ViT with out_type={backbone.out_type!r}, final_norm={backbone.final_norm}'
    if encodes:
        return ''
    if type(head) not in HEADS or getattr(head, 'hidden_dim', None) is not None:
        return f'{type(head).__name__} with a hidden layer or of another kind'
    return ''


def _pretrained_cfg(student: Student) -> dict[str, Any]:
    """Return how timm's transforms prepare an image, for pixels in [0, 1]."""
    wanted = student.image_input
    return dict(
        input_size=(3, *wanted.size),
        mean=tuple(round(v / 255, 8) for v in wanted.mean),
        std=tuple(round(v / 255, 8) for v in wanted.std),
        interpolation=wanted.interpolation,
        crop_pct=crop_pct_of(wanted),
        crop_mode=wanted.crop_mode,
        num_classes=student.num_classes,
        tag='',
        **dict.fromkeys(SOURCE),
    )


def crop_pct_of(wanted: ImageInput) -> float:
    """Return the ratio for which timm, which rounds down, resizes to the student's edge."""
    crop, ratio = min(wanted.size), wanted.crop_pct
    return (
        ratio if math.floor(crop / ratio) == round(crop / ratio) else math.nextafter(ratio, 0)
    )
