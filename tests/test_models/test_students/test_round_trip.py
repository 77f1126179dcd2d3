"""Students of timm and transformers in a distillation load what they save, or are refused."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.load_strict import load_student
from mmvitkd.models.students import check_round_trip

import pytest
import timm
import torch
from mmengine.runner.checkpoint import get_state_dict, load_state_dict
from mmpretrain.models.classifiers import HuggingFaceClassifier
from mmpretrain.registry import MODELS
from torch import nn

TIMM = dict(img_size=28, patch_size=7, embed_dim=16, depth=2, num_heads=2, num_classes=5)
STUDENT = dict(type='TimmClassifier', model_name='vit_tiny_patch16_224', **TIMM)


class TransformersLike(nn.Module):
    """A model with the hooks of ``HuggingFaceClassifier``, which needs a package."""

    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Linear(2, 2))
        self._register_state_dict_hook(HuggingFaceClassifier._remove_state_dict_prefix)
        add = HuggingFaceClassifier._add_state_dict_prefix
        self._register_load_state_dict_pre_hook(add)


def distillation():
    return MODELS.build(
        dict(
            type='mmvitkd.FeatureDistill',
            architecture=STUDENT,
            teacher=dict(type='timm:vit_tiny_patch16_224', **TIMM),
            allow_random_teacher=True,
            pairs=[(1, 1)],
            pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
        )
    )


def assert_equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_distillation_of_a_timm_student_loads_what_it_saves():
    first, second = distillation(), distillation()
    saved = get_state_dict(first)  # as MMEngine saves
    assert 'architecture.model.blocks.1.attn.qkv.weight' in saved
    load_state_dict(second, saved, strict=True)
    assert_equal(first.state_dict(), second.state_dict())


@pytest.mark.parametrize('make', [lambda: MODELS.build(STUDENT), TransformersLike])
def test_a_wrapped_model_inside_others(make):
    first, second = (nn.ModuleDict(dict(a=nn.ModuleDict(dict(b=make())))) for _ in range(2))
    second.load_state_dict(first.state_dict(), strict=True)
    assert_equal(first.state_dict(), second.state_dict())


@pytest.mark.parametrize('make', [lambda: MODELS.build(STUDENT), TransformersLike])
def test_a_wrapped_model_alone_has_the_names_of_its_library(make):
    first, second = make(), make()
    saved = first.state_dict()
    assert saved.keys() == first.model.state_dict().keys()
    second.load_state_dict(saved, strict=True)
    assert_equal(saved, second.state_dict())


def test_the_student_of_the_distillation_alone(tmp_path):
    model, student = distillation(), MODELS.build(STUDENT)
    torch.save(dict(state_dict=get_state_dict(model)), tmp_path / 'epoch_1.pth')
    load_student(student, str(tmp_path / 'epoch_1.pth'))
    in_timm = timm.create_model('vit_tiny_patch16_224', **TIMM)
    in_timm.load_state_dict(student.state_dict(), strict=True)
    assert_equal(in_timm.state_dict(), model.student.model.state_dict())


def test_hooks_that_lose_tensors_are_refused():
    class Renaming(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(2, 2))
            self._register_load_state_dict_pre_hook(self._rename)

        @staticmethod
        def _rename(state_dict, prefix, *_):
            for key in list(state_dict):
                state_dict[f'{prefix}inner.{key}'] = state_dict.pop(key)

    with pytest.raises(ValueError, match=r'architecture: a Renaming .* architecture\.0\.weig'):
        check_round_trip(Renaming())


@pytest.mark.parametrize('name', ['swin_tiny', 'swinv2_tiny'])
def test_tables_that_loading_leaves_as_they_are_may_be_lost(name):
    kind = dict(swin_tiny='SwinTransformer', swinv2_tiny='SwinTransformerV2')[name]
    student = MODELS.build(dict(type=kind, arch='tiny', img_size=64))
    before = {key: value.clone() for key, value in student.state_dict().items()}
    check_round_trip(student)
    assert_equal(student.state_dict(), before)
