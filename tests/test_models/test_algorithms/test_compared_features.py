"""What the losses compare: after connectors, with or without labels, from any teacher."""

import mmvitkd  # noqa: F401
from mmvitkd.models.algorithms.compared_features import compared_features

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from toy import vit
from toy_distillation import distillation, encoder, logits_and, loss_arguments

IMAGES = torch.randn(3, 3, 32, 32)


def test_tokens_and_embeddings_of_an_encoder():
    model = MODELS.build(encoder()).eval()
    found = compared_features(model, IMAGES)
    shapes = {name: [tuple(x.shape) for x in rows] for name, rows in found.items()}
    assert shapes == {'pair_0': [(3, 16, 32)] * 2, 'pair_1': [(3, 1, 32)] * 2}
    with torch.no_grad():
        embedding, _ = model.student(IMAGES)
        projector = model.distiller.connectors['pair_1_S']
        wanted = projector(embedding).flatten(1)
    assert torch.allclose(found['pair_1'][0][:, 0], wanted, atol=1e-6)


def test_without_a_projector_the_teacher_is_pooled_as_in_the_loss():
    model = MODELS.build(distillation(pair_projector=None)).eval()
    student, teacher = compared_features(model, IMAGES)['pair_0']
    given = loss_arguments(model, IMAGES)
    assert torch.equal(student, given['preds_S'].tokens)
    pooled = given['preds_T'].tokens.unflatten(2, (16, 2)).mean(3)
    assert torch.allclose(teacher, pooled, atol=1e-6)
    loss = model.distiller.distill_losses['loss_pair_0'](**given)
    assert loss == pytest.approx((student - teacher).square().mean())


def test_logits_do_not_count():
    settings = dict(pairs=None, pair_loss=None, pair_projector=None)
    config = distillation(distiller=logits_and('backbone.layers.2'), **settings)
    assert {*compared_features(MODELS.build(config).eval(), IMAGES)} == {'first', 'second'}


def test_labels_are_not_needed_and_samples_not_changed():
    model = MODELS.build(distillation(architecture=vit())).eval()
    samples = [DataSample() for _ in IMAGES]
    found = compared_features(model, IMAGES, samples)['pair_0']
    labelled = [DataSample().set_gt_label(1) for _ in IMAGES]
    wanted = compared_features(model, IMAGES, labelled)['pair_0']
    assert torch.equal(found[0], wanted[0])
    assert 'gt_label' not in samples[0]


def test_a_cached_teacher_is_built_for_other_images(tmp_path):
    cached = MODELS.build(distillation(teacher_cache=dict(dir=str(tmp_path)))).eval()
    assert {*compared_features(cached, IMAGES)} == {'pair_0'}
    assert cached.teacher.live is not None
