"""Conversions between all layouts: which work, which are refused, which keys are needed."""

import re

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.convert import convert
from mmvitkd.checkpoint.converters.lift_keys import LiftKeys

import pytest
import timm
import torch
from mmpretrain.registry import MODELS
from released_models import ARCH, CLASSES, DEPTH, DIM, SIZE, STUDENTS, released


def _vit():
    return timm.create_model(
        'vit_tiny_patch16_224',
        embed_dim=DIM,
        depth=DEPTH,
        num_heads=2,
        num_classes=CLASSES,
        **SIZE,
    ).state_dict()


def _backbone():
    return MODELS.build(dict(type='VisionTransformer', arch=ARCH, **SIZE)).state_dict()


UNUSED = LiftKeys.unused_keys
SOURCES = dict(
    timm=_vit,
    backbone=_backbone,
    released_lift=lambda: released('lift').state_dict(),
    released_widelast=lambda: released('widelast').state_dict(),
    our_lift=lambda: MODELS.build(STUDENTS['lift']).state_dict(),
    our_widelast=lambda: MODELS.build(STUDENTS['widelast']).state_dict(),
)


@pytest.mark.parametrize(
    ('source', 'to', 'layout', 'kind', 'unused'),
    [
        ('timm', 'mmpretrain', 'timm', 'ViT', ()),
        ('backbone', 'timm', 'mmpretrain', 'ViT', ()),
        ('released_lift', 'mmpretrain', 'released_lift', 'Lift', UNUSED),
        ('released_widelast', 'mmpretrain', 'released_widelast', 'WideLast', ()),
        ('our_lift', 'released', 'mmpretrain', 'Lift', ()),
        ('our_widelast', 'released', 'mmpretrain', 'WideLast', ()),
    ],
)
def test_conversions(source, to, layout, kind, unused):
    weights = SOURCES[source]()
    converted = convert(weights, to)
    assert converted[:2] == (layout, kind)
    assert tuple(converted.unused) == unused
    shared = {v.data_ptr() for v in converted.weights.values()}
    assert {v.data_ptr() for k, v in weights.items() if k not in unused} <= shared


def test_unused_weights_are_restored():
    weights = released('lift').state_dict()
    converted = convert(weights, 'mmpretrain')
    back = convert(converted.weights, 'released', converted.unused).weights
    assert list(back) == list(weights)
    assert all(torch.equal(back[key], weights[key]) for key in weights)


# What is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ('source', 'to', 'message'),
    [
        ('timm', 'timm', '^the weights are in the layout timm already'),
        ('our_lift', 'mmpretrain', '^the weights are in the layout mmpretrain already'),
        ('released_lift', 'released', '^the weights are in the layout released_lift already'),
        ('released_lift', 'timm', '^this is Lift, which timm does not have'),
        ('our_widelast', 'timm', '^this is WideLast, which timm does not have'),
        ('timm', 'released', '^this is a ViT, .* Lift or WideLast'),
        ('backbone', 'released', '^this is a ViT, .* Lift or WideLast'),
    ],
)
def test_unsupported_requests_are_refused(source, to, message):
    with pytest.raises(ValueError, match=message):
        convert(SOURCES[source](), to)


@pytest.mark.parametrize(
    ('source', 'to', 'lost'),
    [
        ('timm', 'mmpretrain', ['blocks.1.attn.qkv.weight']),
        ('timm', 'mmpretrain', ['patch_embed.proj.bias', 'cls_token']),
        ('timm', 'mmpretrain', ['norm.weight', 'norm.bias']),
        ('backbone', 'timm', ['layers.0.ffn.layers.1.bias', 'layers.2.ln1.weight']),
        ('released_lift', 'mmpretrain', ['base_model.blocks.0.norm2.bias', 'head.bias']),
        ('released_lift', 'mmpretrain', ['layer_norms.2.weight', 'layer_norms.2.bias']),
        ('released_widelast', 'mmpretrain', ['blocks.2.proj_norm.weight', 'head.weight']),
        ('our_lift', 'released', ['neck.norm.weight', 'backbone.pos_embed']),
    ],
)
def test_missing_keys_have_the_names_of_the_source(source, to, lost):
    weights = SOURCES[source]()
    for key in lost:
        del weights[key]
    with pytest.raises(ValueError, match=f'^{len(lost)} keys are missing') as error:
        convert(weights, to)
    prefix = 'backbone.' if source == 'backbone' else ''
    listed = re.fullmatch('.* missing: (.*)', str(error.value))[1].removesuffix('.')
    assert sorted(listed.split(', ')) == sorted(prefix + key for key in lost)


@pytest.mark.parametrize('part', ['', 'proj_'])
def test_a_missing_wide_block_or_projection_is_found(part):
    weights = released('widelast').state_dict()
    lost = [key for key in weights if key.startswith(f'blocks.{DEPTH - 1}.{part}')]
    for key in lost:
        del weights[key]
    with pytest.raises(ValueError, match=rf'keys are missing: .*blocks\.{DEPTH - 1}\.'):
        convert(weights, 'mmpretrain')


def test_a_missing_last_block_of_a_released_lift_is_found():
    weights = released('lift').state_dict()
    lost = [key for key in weights if key.startswith(f'base_model.blocks.{DEPTH - 1}.')]
    for key in lost:
        del weights[key]
    with pytest.raises(ValueError, match=f'{len(lost)} keys are missing: {lost[0][:20]}'):
        convert(weights, 'mmpretrain')
