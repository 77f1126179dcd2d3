"""timm's ViTs and MMPretrain's: equal logits, and round trips equal to the bit."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.key_rules import layout_of
from mmvitkd.checkpoint.converters.vit import (
    mmpretrain_to_timm,
    timm_to_mmpretrain,
    with_prefix,
)

import pytest
import timm
import torch
from mmpretrain.registry import MODELS
from released_models import STUDENTS, shaken

TIMM = dict(img_size=32, patch_size=8, embed_dim=16, depth=2, num_heads=2, num_classes=5)
ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=64)
# timm's name and arguments, MMPretrain's backbone, type of the head
PAIRS = {
    'vit': ('vit_tiny_patch16_224', {}, {}, 'VisionTransformerClsHead'),
    'deit': ('deit_tiny_patch16_224', {}, {}, 'VisionTransformerClsHead'),
    'layer scale and norm before': (
        'vit_small_patch16_224',
        dict(init_values=0.1, pre_norm=True),
        dict(layer_scale_init_value=0.1, pre_norm=True),
        'VisionTransformerClsHead',
    ),
    'no qkv bias': (
        'vit_tiny_patch16_224',
        dict(qkv_bias=False),
        dict(qkv_bias=False),
        'VisionTransformerClsHead',
    ),
    'mean of the patches': (
        'vit_base_patch16_224',
        dict(global_pool='avg'),
        dict(out_type='avg_featmap', final_norm=False),
        'VisionTransformerClsHead',
    ),
    'distilled': (
        'deit_tiny_distilled_patch16_224',
        {},
        dict(type='DistilledVisionTransformer'),
        'DeiTClsHead',
    ),
}


def _pair(name):
    """The same architecture of both libraries, each with its own weights."""
    timm_name, arguments, backbone, head = PAIRS[name]
    theirs = timm.create_model(timm_name, **TIMM | arguments)
    shape = dict(type='VisionTransformer', arch=ARCH, img_size=32, patch_size=8)
    ours = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=shape | backbone,
            head=dict(type=head, num_classes=5, in_channels=16),
        )
    )
    return shaken(theirs), shaken(ours)


def _assert_equal_logits(theirs, ours):
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        wanted, found = theirs(images), ours(images)
        if isinstance(found, tuple):  # of a distilled one timm gives the mean
            found = sum(found) / 2
        assert wanted.std() > 1e-2
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def _assert_same(found, wanted):
    assert list(found) == list(wanted)
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize('name', PAIRS)
def test_timm_in_mmpretrain(name):
    theirs, ours = _pair(name)
    weights = theirs.state_dict()
    converted = timm_to_mmpretrain(weights)
    ours.load_state_dict(converted, strict=True)
    _assert_equal_logits(theirs, ours)
    _assert_same(mmpretrain_to_timm(converted), weights)
    assert (layout_of(weights), layout_of(converted)) == ('timm', 'mmpretrain')


@pytest.mark.parametrize('name', PAIRS)
def test_mmpretrain_in_timm(name):
    theirs, ours = _pair(name)
    weights = ours.state_dict()
    converted = mmpretrain_to_timm(weights)
    theirs.load_state_dict(converted, strict=True)
    _assert_equal_logits(theirs, ours)
    _assert_same(timm_to_mmpretrain(converted), weights)


def test_a_linear_head():
    theirs, ours = _pair('vit')
    weights = {
        k.replace('head.layers.head', 'head.fc'): v for k, v in ours.state_dict().items()
    }
    theirs.load_state_dict(mmpretrain_to_timm(weights), strict=True)
    _assert_equal_logits(theirs, ours)


def test_a_head_with_a_hidden_layer():
    head = dict(type='VisionTransformerClsHead', num_classes=5, in_channels=16, hidden_dim=8)
    weights = {f'head.{k}': v for k, v in MODELS.build(head).state_dict().items()}
    converted = mmpretrain_to_timm(weights)
    names = ('pre_logits.fc', 'head')
    assert list(converted) == [f'{a}.{b}' for a in names for b in ('weight', 'bias')]
    _assert_same(timm_to_mmpretrain(converted), weights)


def test_a_backbone_alone():
    _, ours = _pair('vit')
    alone = ours.backbone.state_dict()
    assert layout_of(alone) == 'mmpretrain'
    whole = {f'backbone.{key}': value for key, value in alone.items()}
    _assert_same(with_prefix(alone), whole)
    _assert_same(with_prefix(ours.state_dict()), ours.state_dict())
    _assert_same(mmpretrain_to_timm(alone), mmpretrain_to_timm(whole))


def test_deit3s_own_names_of_layer_scale():
    theirs = timm.create_model('deit3_small_patch16_224', **TIMM)
    weights = theirs.state_dict()
    released = {
        key.replace('ls1.gamma', 'gamma_1').replace('ls2.gamma', 'gamma_2'): value
        for key, value in weights.items()
    }
    assert released.keys() != weights.keys()
    _assert_same(timm_to_mmpretrain(released), timm_to_mmpretrain(weights))


# What is refused ----------------------------------------------------------------------


@pytest.mark.parametrize('name', ['resnet18', 'swin_tiny_patch4_window7_224'])
def test_another_architecture_has_no_layout(name):
    weights = timm.create_model(name).state_dict()
    keys = ', '.join(list(weights)[:10])
    with pytest.raises(ValueError, match=f'not a Vision Transformer.*{keys} and .* more'):
        layout_of(weights)


@pytest.mark.parametrize(
    ('arguments', 'unknown'),
    [
        (dict(reg_tokens=4), r'1 of 33 keys are unknown: reg_token\.'),
        (dict(qk_norm=True), r'8 of 40 .*: blocks\.0\.attn\.q_norm\.weight, blocks\.0\.'),
    ],
)
def test_keys_that_mmpretrain_lacks(arguments, unknown):
    weights = timm.create_model('vit_tiny_patch16_224', **TIMM | arguments).state_dict()
    with pytest.raises(ValueError, match=f"{unknown}.* Wanted the keys of timm's Vision"):
        timm_to_mmpretrain(weights)


def test_keys_that_timm_lacks():
    weights = MODELS.build(STUDENTS['lift']).state_dict()
    unknown = 'neck.proj.weight, neck.norm.weight, neck.norm.bias'
    with pytest.raises(ValueError, match=f"^3 .*: {unknown}. Wanted the keys of MMPretrain's"):
        mmpretrain_to_timm(weights)


def test_two_heads_of_one_name():
    _, ours = _pair('vit')
    weights = ours.state_dict() | {'head.fc.bias': torch.zeros(5)}
    with pytest.raises(ValueError, match=r"'head\.fc\.bias' is the second .* 'head\.bias'"):
        mmpretrain_to_timm(weights)
