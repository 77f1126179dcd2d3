"""Released Lift and WideLast: keys, logits, and the way back equal to the bit."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.key_rules import layout_of, rules_of, rules_of_layout
from mmvitkd.checkpoint.converters.lift_keys import LiftKeys
from mmvitkd.checkpoint.converters.vit import timm_to_mmpretrain

import pytest
import timm
import torch
from mmpretrain.registry import MODELS
from released_models import (
    CLASSES,
    DIM,
    RELEASED,
    STUDENTS,
    WIDE,
    ReleasedWideLast,
    released,
    shaken,
)

UNUSED = LiftKeys.unused_keys


def to_ours(weights):
    return rules_of_layout(layout_of(weights)).to_mmpretrain(weights)


def to_released(weights, unused=None):
    return rules_of(weights).to_released(weights, unused)


def _assert_same(found, wanted):
    assert list(found) == list(wanted)
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize('name', RELEASED)
def test_a_round_trip_is_equal_to_the_bit(name):
    model = released(name)
    weights = model.state_dict()
    ours, unused = to_ours(weights)
    student = MODELS.build(STUDENTS[name])
    student.load_state_dict(ours, strict=True)
    student.eval()
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(student(images), model(images), atol=1e-5, rtol=1e-5)
    assert list(unused) == (list(UNUSED) if name == 'lift' else [])
    _assert_same(to_released(ours, unused), weights)


def test_several_wide_blocks():
    wide = dict(
        STUDENTS['widelast']['backbone'], width=[24, 32], num_wide_blocks=2, num_heads=[3, 4]
    )
    student = MODELS.build(dict(STUDENTS['widelast'], backbone=wide))
    model = shaken(ReleasedWideLast(widths=(16, 24, 32)))
    ours, _ = to_ours(model.state_dict())
    student.load_state_dict(ours, strict=True)
    student.eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(student(images), model(images), atol=1e-5, rtol=1e-5)
    _assert_same(to_released(ours), model.state_dict())


@pytest.mark.parametrize('name', RELEASED)
def test_a_student_of_our_own(name):
    student = shaken(MODELS.build(STUDENTS[name]))
    weights = to_released(student.state_dict())
    model = RELEASED[name]().eval()
    model.load_state_dict(weights, strict=True)
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(student(images), model(images), atol=1e-5, rtol=1e-5)
    ours, unused = to_ours(weights)
    assert ours.keys() == student.state_dict().keys()
    assert list(unused) == (list(UNUSED) if name == 'lift' else [])


def test_unused_weights_of_lift_are_filled_with_one_and_zero():
    student = shaken(MODELS.build(STUDENTS['lift'])).double().state_dict()
    weights = to_released(student)
    unused = {key: weights[key] for key in UNUSED}
    assert {key: (tuple(v.shape), v.unique().tolist()) for key, v in unused.items()} == {
        'base_model.norm.weight': ((DIM,), [1]),
        'base_model.norm.bias': ((DIM,), [0]),
        'base_model.head.weight': ((CLASSES, DIM), [0]),
        'base_model.head.bias': ((CLASSES,), [0]),
    }
    assert {v.dtype for v in unused.values()} == {torch.float64}


def test_the_projection_is_that_of_the_last_block():
    keys = RELEASED['lift']().state_dict().keys()
    assert {'projections.2.weight', 'layer_norms.2.weight', 'layer_norms.2.bias'} < keys
    assert LiftKeys().num_blocks(keys) == 3
    head = dict(type='LinearClsHead', num_classes=CLASSES, in_channels=WIDE)
    arch = dict(STUDENTS['lift']['backbone']['arch'], num_layers=12)
    backbone = dict(STUDENTS['lift']['backbone'], arch=arch)
    student = MODELS.build(dict(STUDENTS['lift'], backbone=backbone, head=head))
    weights = to_released(student.state_dict())
    assert {'projections.11.weight', 'layer_norms.11.bias'} < weights.keys()


def test_lift_with_mmpretrains_other_head():
    weights = MODELS.build(STUDENTS['lift']).state_dict()
    other = {k.replace('head.fc', 'head.layers.head'): v for k, v in weights.items()}
    _assert_same(to_released(other), to_released(weights))


@pytest.mark.parametrize(('name', 'kind'), [('lift', 'Lift'), ('widelast', 'WideLast')])
def test_kinds_and_layouts(name, kind):
    ours, theirs = MODELS.build(STUDENTS[name]).state_dict(), RELEASED[name]().state_dict()
    assert rules_of(ours).name == kind
    assert layout_of(ours) == 'mmpretrain'
    assert layout_of(theirs) == f'released_{name}'
    assert rules_of_layout(f'released_{name}').name == kind


def test_any_other_student_is_a_plain_vit():
    weights = timm.create_model('vit_tiny_patch16_224', depth=1).state_dict()
    assert rules_of(timm_to_mmpretrain(weights)).name == 'ViT'
    assert rules_of_layout('timm').name == 'ViT'


# What is refused ----------------------------------------------------------------------


def _renamed(name, old, new):
    weights = RELEASED[name]().state_dict()
    return {key.replace(old, new): value for key, value in weights.items()}


@pytest.mark.parametrize(
    ('weights', 'message'),
    [
        (_renamed('lift', 'mlp.fc1', 'mlp.up'), '^6 of .* base_model.blocks.0.mlp.up.weight'),
        (_renamed('widelast', 'proj_norm', 'proj_ln'), '^2 of .* blocks.2.proj_ln.weight, b'),
        (_renamed('lift', 'projections.2', 'project'), r'^wanted projections\.2\.weight, of'),
        (_renamed('lift', 'projections.2', 'projections.1'), r'found .* projections\.1\.we'),
        (_renamed('lift', 'layer_norms.2', 'layer_norms.1'), '^2 of .* layer_norms.1.weight'),
    ],
)
def test_unknown_keys_of_a_released_student(weights, message):
    with pytest.raises(ValueError, match=message):
        to_ours(weights)


def test_unknown_keys_of_ours():
    weights = MODELS.build(STUDENTS['lift']).state_dict() | {'neck.bias': torch.ones(1)}
    with pytest.raises(ValueError, match=r'^1 of .* unknown: neck\.bias\. Wanted the keys of'):
        to_released(weights)
