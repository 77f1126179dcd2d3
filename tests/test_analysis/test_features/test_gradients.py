"""Gradients of features against finite differences in the forward pass."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.extractor import FeatureExtractor
from mmvitkd.analysis.features.gradients import (
    feature_gradients,
    scores_of,
)
from mmvitkd.analysis.features.patch_tokens import first_tensor

import pytest
import torch
import toy_students
from mmengine.registry import MODELS
from mmpretrain.models import TimmClassifier
from torch import nn
from toy import timm_vit

SIZE = (2, 3, 4, 5)
CAIT = dict(img_size=32, patch_size=8, embed_dim=16, depth=2, num_heads=2, num_classes=5)
LABELS = torch.tensor([1, 3])


def cls_vit():
    return MODELS.build(toy_students.student('ours')).eval()


def cait():
    return TimmClassifier(model_name='cait_xxs24_224', **CAIT)


MODELS_OF_ALL_KINDS = {
    'timm': lambda: MODELS.build(timm_vit(global_pool='avg')),
    'cait': cait,
    **{
        kind: lambda kind=kind: MODELS.build(toy_students.student(kind))
        for kind in ('ours', 'lift', 'widelast', 'swin')
    },
}


@pytest.mark.parametrize('kind', MODELS_OF_ALL_KINDS)
def test_against_finite_differences_in_the_forward_pass(kind):
    """A random step on the patch tokens of one block changes the score by <gradient, step>."""
    model = MODELS_OF_ALL_KINDS[kind]().double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    model.requires_grad_(False)
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    source = FeatureExtractor(model, 'all')
    with torch.no_grad():
        gradients = feature_gradients(source, images, LABELS)
        features = source(images)
    assert list(gradients) == list(features)
    modules = dict(model.named_modules())
    model.eval()
    for key, gradient in gradients.items():
        assert gradient.shape == features[key].shape and not gradient.requires_grad
        step = torch.randn_like(gradient)
        scores = []
        for sign in (1, -1):
            hook = modules[source.names[key]].register_forward_hook(
                lambda _, __, output, move=sign * 1e-5 * step: moved(output, move)
            )
            scores.append(scores_of(model(images), LABELS))
            hook.remove()
        found = (gradient * step).sum((1, 2))
        wanted = (scores[0] - scores[1]) / 2e-5
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-7)


def moved(output, step):
    """A block's output with another value of its last tokens; Lift's mean goes along."""
    tokens = first_tensor(output).clone()
    tokens[:, -step.shape[1] :] += step
    if not isinstance(output, tuple):
        return tokens
    beside = output[1]  # Swin's grid, or the mean of Lift's tokens
    return tokens, tokens.mean(1) if isinstance(beside, torch.Tensor) else beside


def test_patches_behind_the_last_class_token_do_not_count():
    images = torch.randn(2, 3, 32, 32)
    gradients = feature_gradients(FeatureExtractor(cls_vit(), 'all'), images)
    assert gradients[2].shape == (2, 16, 16) and not gradients[2].any()
    assert gradients[1].all()


def test_without_labels_the_score_is_that_of_the_predicted_class():
    model, images = cls_vit(), torch.randn(2, 3, 32, 32)
    source = FeatureExtractor(model, [0])
    found = feature_gradients(source, images)[0]
    predicted = model(images).argmax(1)
    assert torch.equal(found, feature_gradients(source, images, predicted)[0])
    assert not torch.equal(found, feature_gradients(source, images, (predicted + 1) % 5)[0])


def test_the_mode_and_the_hooks_stay():
    model = cls_vit().train()
    feature_gradients(FeatureExtractor(model, 'all'), torch.randn(1, 3, 32, 32))
    assert all(module.training for module in model.backbone.layers)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize('labels', [[0, 5], [-1, 0]])
def test_a_label_that_the_model_does_not_have(labels):
    labels = torch.tensor(labels)
    with pytest.raises(ValueError, match=r'labels from -?\d to \d: the model has 5 classes, 0'):
        feature_gradients(FeatureExtractor(cls_vit()), torch.randn(2, 3, 32, 32), labels)


def test_what_is_not_logits():
    with pytest.raises(ValueError, match=r'found \(2, 3, 4, 5\), wanted logits'):
        scores_of(torch.zeros(2, 3, 4, 5))


def test_the_gradients_of_weights_are_left_alone():
    model = cls_vit()
    feature_gradients(FeatureExtractor(model), torch.randn(2, 3, 32, 32))
    assert all(p.grad is None for p in model.parameters())
