"""The distilled layers are found, and their tokens are the modules' outputs."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.distilled_layers import DistilledLayers

import pytest
import torch
from mmengine.registry import MODELS
from toy import timm_vit, vit
from toy_distillation import distillation, logits_and

IMAGES = torch.randn(2, 3, 32, 32)
SOFT = dict(pairs=None, pair_loss=None, pair_projector=None)


def outputs_of(model, module, images):
    """What a module returns in eval mode, by a hook of this test's own."""
    found = []
    handle = module.register_forward_hook(lambda m, i, out: found.append(out))
    with torch.no_grad():
        model.eval()(images, mode='tensor')
    handle.remove()
    return found[0]


def test_the_pairs_of_a_distillation_and_the_teachers_own_input():
    teacher = vit(dict(embed_dims=32, num_layers=4, num_heads=4, feedforward_channels=64))
    teacher['data_preprocessor'].update(mean=[127.5] * 3, std=[127.5] * 3)
    model = MODELS.build(distillation(teacher=teacher, pairs=[(0, 1), (2, 3)]))
    layers = DistilledLayers(model, IMAGES)
    assert layers.modules == dict(pair_0='backbone.layers.0', pair_1='backbone.layers.2')
    assert layers.left_out == {}
    students, teachers = layers.student_tokens(IMAGES), layers.teacher_tokens(IMAGES)
    theirs, own = model.teacher.model, model.student
    preprocessor = model.data_preprocessor
    pixels = IMAGES * preprocessor.std + preprocessor.mean
    for name, (s, t) in dict(pair_0=(0, 1), pair_1=(2, 3)).items():
        wanted = outputs_of(own, own.backbone.layers[s], IMAGES)[:, 1:]
        assert torch.equal(students[name], wanted)
        wanted = outputs_of(theirs, theirs.backbone.layers[t], (pixels - 127.5) / 127.5)
        torch.testing.assert_close(teachers[name], wanted[:, 1:], rtol=1e-4, atol=1e-5)


def test_pairs_without_patch_tokens_are_left_out_with_a_reason():
    distiller = logits_and('backbone.layers.1')
    model = MODELS.build(distillation(**SOFT, distiller=distiller))
    layers = DistilledLayers(model, IMAGES)
    assert layers.modules == dict(first='backbone.layers.1')
    assert list(layers.left_out) == ['kd']
    assert "'head'" in layers.left_out['kd'] and 'patch tokens' in layers.left_out['kd']


def test_a_distillation_of_logits_alone_has_its_students_last_block():
    distiller = logits_and('backbone.layers.1')
    for key in ('distill_losses', 'loss_forward_mappings'):
        distiller[key] = dict(loss_kd=distiller[key]['loss_kd'])
    distiller['connectors'] = {}
    layers = DistilledLayers(MODELS.build(distillation(**SOFT, distiller=distiller)), IMAGES)
    assert layers.modules == dict(block_2='backbone.layers.2')
    assert layers.teacher_tokens(IMAGES) == {}


@pytest.mark.parametrize(
    ('config', 'wanted'),
    [(vit(), dict(block_2='backbone.layers.2')), (timm_vit(), dict(block_3='model.blocks.3'))],
    ids=['mmpretrain', 'timm'],
)
def test_a_model_without_a_teacher_has_its_last_block(config, wanted):
    layers = DistilledLayers(MODELS.build(config), IMAGES)
    assert layers.modules == wanted
    [tokens] = layers.student_tokens(IMAGES).values()
    assert tokens.shape[:2] == (2, 16)


def test_layers_that_are_asked_for_have_no_teacher():
    model = MODELS.build(distillation())
    layers = DistilledLayers(model, IMAGES, [0, 'backbone.layers.2.ln1'])
    assert layers.modules == {
        'block_0': 'backbone.layers.0',
        'backbone.layers.2.ln1': 'backbone.layers.2.ln1',
    }
    assert layers.teacher_tokens(IMAGES) == {}
    assert list(layers.student_tokens(IMAGES)) == list(layers.modules)


def test_all_blocks_may_be_asked_for():
    layers = DistilledLayers(MODELS.build(distillation()), IMAGES, 'all')
    assert list(layers.modules) == ['block_0', 'block_1', 'block_2']


@pytest.mark.parametrize(
    ('layers', 'message'),
    [
        ([7], 'there is no 7'),
        (['head'], "the output of 'head'"),
        (['backbone.x'], 'not a mod'),
    ],
)
def test_layers_that_are_not_there(layers, message):
    with pytest.raises(ValueError, match=message):
        DistilledLayers(MODELS.build(vit()), IMAGES, layers)
