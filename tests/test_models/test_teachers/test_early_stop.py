"""Stopping early: the same tensors, and nothing computed after the last of them."""

import mmvitkd  # noqa: F401
from mmvitkd.models import Teacher

import pytest
import torch
from mmengine.registry import MODELS
from mmrazor.models.task_modules import RecorderManager
from toy import WIDE_ARCH, timm_vit, vit
from toy_students import student

CAIT = dict(embed_dim=32, num_heads=4, depth=3, img_size=32, patch_size=8, num_classes=5)
SWIN = dict(img_size=32, patch_size=2, window_size=4, embed_dim=16, depths=(1, 2, 1))
TIMM = 'mmpretrain.TimmClassifier'
MODEL = {
    'mmpretrain vit': vit(WIDE_ARCH),
    'mmpretrain swin': student('swin'),
    'timm vit': timm_vit(),
    'timm cait': dict(type=TIMM, model_name='cait_xxs24_224', **CAIT),
    'timm swin': dict(
        type=TIMM, model_name='swin_tiny_patch4_window7_224', num_heads=(1, 2, 4), **SWIN
    ),
    'timm cnn': dict(type=TIMM, model_name='test_resnet', num_classes=5),
}


def teacher(model, kind='ModuleOutputs', **options):
    """A teacher of one model, given the sources of its recorders by their names."""

    def make(**sources):
        recorders = {
            name: dict(type=f'mmrazor.{kind}', source=source)
            for name, source in sources.items()
        }
        return Teacher(model, RecorderManager(recorders), **options)

    return make


def returned(model):
    """The names of the modules that return from now on."""
    names = []
    for name, module in model.named_modules():
        module.register_forward_hook(lambda *_, name=name: names.append(name))
    return names


@pytest.mark.parametrize(
    ('model', 'first', 'second', 'spared'),
    [
        ('mmpretrain vit', 'backbone.layers.0', 'backbone.layers.1', 'backbone.layers.2'),
        ('mmpretrain swin', 'backbone.stages.0', 'backbone.stages.0.blocks.0', 'head.fc'),
        ('timm vit', 'model.patch_embed', 'model.blocks.0.attn', 'model.blocks.0.mlp'),
        ('timm cait', 'model.blocks.0', 'model.pos_drop', 'model.blocks.1'),
        ('timm swin', 'model.layers.1.blocks.0', 'model.layers.0', 'model.layers.2'),
        ('timm cnn', 'model.layer1', 'model.layer2.0', 'model.layer3'),
    ],
)
@pytest.mark.parametrize('kind', ['ModuleOutputs', 'ModuleInputs'])
def test_the_same_tensors_and_nothing_after_them(model, first, second, spared, kind):
    model = MODELS.build(MODEL[model])
    sources = dict(a=first, b=second)
    whole = teacher(model, kind, stop_early=False)(**sources)
    early = teacher(model, kind)(**sources)
    images = torch.randn(2, 3, 32, 32)
    wanted = whole(images)
    early(images)  # finds out what comes last
    names = returned(model)
    found = early(images)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)
    assert {first, second} <= set(names) and spared not in names
    assert names[-1] in (first, second)
    names.clear()
    torch.testing.assert_close(early.logits(images), model(images), rtol=0, atol=0)
    assert spared in names and names[-1] == ''


def test_what_is_recorded_inside_of_another_is_no_end():
    """The stage ends after its block, and both are recorded."""
    model = MODELS.build(MODEL['timm swin'])
    early = teacher(model)(stage='model.layers.1', block='model.layers.1.blocks.1.mlp')
    images = torch.randn(2, 3, 32, 32)
    early(images)
    names = returned(model)
    early(images)
    assert names[-1] == 'model.layers.1'


@pytest.mark.parametrize('source', ['', 'head', 'head.layers.head'])
def test_logits_are_the_end(source):
    model = MODELS.build(MODEL['mmpretrain vit'])
    early = teacher(model)(logits=source, block='backbone.layers.0')
    images = torch.randn(2, 3, 32, 32)
    early(images)
    names = returned(model)
    torch.testing.assert_close(early(images)['logits'], model(images), rtol=0, atol=0)
    assert names[-1] == ''


class Twice(torch.nn.Module):
    """Calls one of its modules before and after another, and catches every exception."""

    def __init__(self):
        super().__init__()
        self.shared, self.other, self.last = (torch.nn.Linear(4, 4) for _ in range(3))

    def forward(self, images, mode='tensor'):
        try:
            x = self.other(self.shared(images))
            with torch.autocast('cpu', torch.bfloat16):
                x = self.shared(x)
            return self.last(x.float())
        except Exception as error:
            raise AssertionError('the model has caught it') from error


def test_a_module_that_is_called_twice_is_left_after_its_second_call():
    model = Twice()
    early = teacher(model)(shared='shared')
    images = torch.randn(2, 3, 4, 4)
    early(images)
    names = returned(model)
    early(images)
    assert names == ['shared', 'other', 'shared']
    assert not torch.is_autocast_enabled('cpu') and torch.is_grad_enabled()
    names.clear()
    teacher(model)(other='other')  # another teacher of the model is not concerned
    early(images)
    assert names == ['shared', 'other', 'shared']


def test_an_error_of_the_model_is_not_swallowed():
    early = teacher(MODELS.build(MODEL['timm vit']))(block='model.blocks.0')
    early(torch.randn(2, 3, 32, 32))
    with pytest.raises(RuntimeError, match='to have 3 channels'):
        early(torch.randn(2, 1, 32, 32))
    assert early(torch.randn(2, 3, 32, 32))['block'].shape == (2, 17, 32)


@pytest.mark.parametrize('kind', ['MethodOutputs', 'MethodInputs'])
def test_with_a_method_recorded_every_pass_is_whole(kind):
    model = MODELS.build(MODEL['timm vit'])
    path = 'timm.models.vision_transformer.VisionTransformer.forward_head'
    made = teacher(model, kind)(pooled=path)
    images = torch.randn(2, 3, 32, 32)
    made(images)
    names = returned(model)
    assert made(images)['pooled'] is not None
    assert names[-1] == ''


def test_a_parameter_is_no_end():
    model = MODELS.build(MODEL['timm vit'])
    recorders = RecorderManager(
        dict(
            weight=dict(type='mmrazor.Parameter', source='model.head.weight'),
            block=dict(type='mmrazor.ModuleOutputs', source='model.blocks.0'),
        )
    )
    early = Teacher(model, recorders)
    early(torch.randn(2, 3, 32, 32))
    names = returned(model)
    found = early(torch.randn(2, 3, 32, 32))
    assert found['weight'] is model.model.head.weight
    assert names[-1] == 'model.blocks.0'
