"""A ViT is found under its prefix; what is next to it is listed, not lost."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.find_trunk import find_trunk

import pytest
import timm
import torch
from mmpretrain.registry import MODELS
from released_models import STUDENTS, released
from transformers_models import vit

ONE = torch.ones(1)


def test_a_prefix_and_other_parts():
    weights = {'student.vit.blocks.0.norm1.bias': ONE, 'student.vit.pos_embed': ONE, 'x.y': ONE}
    trunk = find_trunk(weights)
    assert (trunk.layout, trunk.names) == ('timm', 'timm')
    assert list(trunk.weights) == ['blocks.0.norm1.bias', 'pos_embed']
    assert trunk.left_out == ['x.y']


def test_transformers_names_become_timms():
    trunk = find_trunk(
        {f'model.{key}': value for key, value in vit(head=False).weights.items()}
    )
    assert (trunk.layout, trunk.names) == ('transformers', 'timm')
    assert 'blocks.1.attn.qkv.bias' in trunk.weights


@pytest.mark.parametrize('name', STUDENTS)
def test_our_own_and_released_layouts_are_whole(name):
    for weights in (MODELS.build(STUDENTS[name]).state_dict(), released(name).state_dict()):
        trunk = find_trunk(weights)
        assert list(trunk.weights) == list(weights)
        assert trunk.left_out == []


@pytest.mark.parametrize('name', ['resnet18', 'swin_tiny_patch4_window7_224'])
def test_another_kind_of_model_is_returned_as_it_is(name):
    weights = timm.create_model(name).state_dict()
    trunk = find_trunk(weights)
    assert trunk.layout is None
    assert list(trunk.weights) == list(weights)


def test_the_teacher_is_the_one_to_use():
    names = [f'{who}.blocks.0.norm1.bias' for who in ('student', 'teacher')]
    assert find_trunk(dict.fromkeys(names, ONE)).left_out == names[:1]
    with pytest.raises(ValueError, match=r'2 Vision Transformers, under a\., b\.'):
        find_trunk({'a.blocks.0.norm1.bias': ONE, 'b.blocks.0.norm1.bias': ONE})
