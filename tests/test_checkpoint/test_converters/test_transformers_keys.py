"""transformers' ViT, DeiT and DINOv2 in timm: the same tokens and logits."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.convert import convert
from mmvitkd.checkpoint.converters.transformers_keys import transformers_to_timm

import pytest
import timm
import torch
import torch.nn.functional as F
from released_models import shaken
from transformers_models import CLASSES, DEPTH, HEADS, PATCH, SIZE, WIDTH, dinov2, vit

TIMM = dict(img_size=SIZE, patch_size=PATCH, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS)
VARIANTS = {
    'vit': (vit, {}, 'vit_tiny_patch16_224', dict(num_classes=CLASSES)),
    'vit without a head': (vit, dict(head=False), 'vit_tiny_patch16_224', dict(num_classes=0)),
    'distilled deit': (
        vit,
        dict(distilled=True),
        'deit_tiny_distilled_patch16_224',
        dict(num_classes=CLASSES),
    ),
    'dinov2': (dinov2, {}, 'vit_small_patch14_dinov2', {}),
    'dinov2 with registers': (
        dinov2,
        dict(registers=3),
        'vit_small_patch14_reg4_dinov2',
        dict(reg_tokens=3),
    ),
}


@pytest.mark.parametrize('name', VARIANTS)
def test_the_same_tokens_in_timm(name):
    make, options, timm_name, arguments = VARIANTS[name]
    theirs = make(**options)
    shaken(theirs.trunk)
    weights = transformers_to_timm(theirs.weights).weights
    model = timm.create_model(timm_name, **TIMM | arguments).eval()
    model.load_state_dict(weights, strict=True)
    images = torch.randn(2, 3, SIZE, SIZE).double()
    with torch.no_grad():
        wanted = theirs.trunk.double()(images)
        found = model.double().forward_features(images)
        # In double precision, but that timm resizes position embeddings in float32.
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-6)


def test_the_same_logits_in_timm():
    theirs = vit()
    weights = transformers_to_timm(theirs.weights).weights
    model = timm.create_model('vit_tiny_patch16_224', num_classes=CLASSES, **TIMM).eval()
    model.load_state_dict(weights, strict=True)
    images = torch.randn(2, 3, SIZE, SIZE)
    with torch.no_grad():
        token = theirs.trunk(images)[:, 0]
        head = [theirs.weights[f'classifier.{part}'] for part in ('weight', 'bias')]
        torch.testing.assert_close(model(images), F.linear(token, *head), atol=1e-5, rtol=1e-5)


def test_what_is_no_part_of_the_vit_is_told():
    weights = dinov2().weights
    more = {
        'classifier.weight': torch.zeros(CLASSES, 2 * WIDTH),  # of class token and mean
        'classifier.bias': torch.zeros(CLASSES),
        'decoder.bias': torch.zeros(1),
    }
    found = transformers_to_timm(weights | more)
    assert found.left_out == ['embeddings.mask_token', *more]
    assert not any(key.startswith('head') for key in found.weights)


@pytest.mark.parametrize('part', ['query', 'key', 'value'])
def test_query_key_and_value_belong_together(part):
    weights = vit().weights
    name = f'encoder.layer.1.attention.attention.{part}.bias'
    del weights[f'vit.{name}']
    with pytest.raises(ValueError, match=f'{name} is missing'):
        transformers_to_timm(weights)


def test_an_unknown_key_of_the_trunk():
    weights = vit().weights | {'vit.encoder.layer.0.gate.weight': torch.zeros(1)}
    with pytest.raises(ValueError, match=r'unknown: encoder\.layer\.0\.gate\.weight'):
        transformers_to_timm(weights)


def test_to_mmpretrain_and_what_it_lacks():
    converted = convert(vit().weights, 'mmpretrain')
    assert converted[:2] == ('transformers', 'ViT')
    back = convert(converted.weights, 'timm').weights
    wanted = convert(vit().weights, 'timm').weights
    assert back.keys() == wanted.keys()
    with pytest.raises(ValueError, match='unknown: reg_token'):
        convert(dinov2(registers=3).weights, 'mmpretrain')
