"""Gradients against closed forms, finite differences and loops that are written out."""

from functools import partial

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.extractor import FeatureExtractor
from mmvitkd.analysis.features.patch_tokens import first_tensor
from mmvitkd.analysis.functional.gradients import (
    feature_gradients,
    integrated_gradients,
    saliency,
    saliency_map,
    scores_of,
    smooth_grad,
)

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


class Quadratic(nn.Module):
    """Logits ``w_k x + v_k x^2``."""

    def __init__(self):
        super().__init__()
        self.w, self.v = torch.randn(2, 7, *SIZE[1:], dtype=torch.float64)

    def forward(self, x):
        powers = x[:, None] * self.w + x[:, None] ** 2 * self.v
        return powers.sum((2, 3, 4))


@pytest.fixture
def quadratic():
    return Quadratic()


@pytest.fixture
def linear(quadratic):
    quadratic.v.zero_()
    return quadratic


@pytest.fixture
def images():
    return torch.randn(SIZE, dtype=torch.float64)


@pytest.fixture
def network():
    """A small network without a closed form, smooth everywhere."""
    layers = nn.Flatten(), nn.Linear(60, 8), nn.Tanh(), nn.Linear(8, 7)
    return nn.Sequential(*layers).double()


def close(found, wanted, **tolerance):
    torch.testing.assert_close(found, wanted, **(tolerance or dict(rtol=1e-10, atol=1e-10)))


# Pixels -------------------------------------------------------------------------------


@pytest.mark.parametrize('labels', [LABELS, None])
def test_closed_forms_of_a_linear_model(linear, images, labels):
    weights = linear.w[linear(images).argmax(1) if labels is None else labels]
    close(saliency(linear, images, labels), weights)
    close(smooth_grad(linear, images, labels, num_samples=3), weights)
    close(integrated_gradients(linear, images, labels, num_steps=3), images * weights)
    difference = images - 0.5
    close(
        integrated_gradients(linear, images, labels, num_steps=3, baseline=0.5),
        difference * weights,
    )


def test_closed_forms_of_a_quadratic_model(quadratic, images):
    w, v = quadratic.w[LABELS], quadratic.v[LABELS]
    close(saliency(quadratic, images, LABELS), w + 2 * v * images)
    close(integrated_gradients(quadratic, images, LABELS, 1), images * w + images**2 * v)


def test_saliency_against_finite_differences(network, images):
    wanted = torch.zeros_like(images)
    for index in torch.cartesian_prod(*map(torch.arange, SIZE)).tolist():
        step = torch.zeros_like(images)
        step[tuple(index)] = 1e-5
        up, down = network(images + step), network(images - step)
        row = index[0]
        wanted[tuple(index)] = (up - down)[row, LABELS[row]] / 2e-5
    close(saliency(network, images, LABELS), wanted, rtol=1e-7, atol=1e-9)


def test_integrated_gradients_are_complete(network, images):
    """They sum to the score less the baseline's; ever closer with more steps."""
    baseline = torch.randn(SIZE, dtype=torch.float64)
    wanted = scores_of(network(images), LABELS) - scores_of(network(baseline), LABELS)
    errors = []
    for steps in (5, 50, 500):
        found = integrated_gradients(network, images, LABELS, steps, baseline).sum((1, 2, 3))
        errors.append((found - wanted).abs().max().item())
    assert 0 < 50 * errors[2] < errors[1] < errors[0] / 50 < 1  # of second order


def test_smooth_grad_against_a_loop(network, images):
    generator, wanted = torch.Generator().manual_seed(3), []
    noise = [torch.randn(SIZE[1:], generator=generator).double() for _ in range(50)]
    for image, label in zip(images, LABELS, strict=True):
        sigma = 0.15 * (image.max() - image.min())
        gradients = []
        for sample in noise:
            pixels = (image + sigma * sample).requires_grad_()
            network(pixels[None])[0, label].backward()
            gradients.append(pixels.grad)
        wanted.append(torch.stack(gradients).mean(0))
    found = smooth_grad(network, images, LABELS, seed=3)
    close(found, torch.stack(wanted))
    assert not torch.equal(found, smooth_grad(network, images, LABELS))


def test_the_noise_has_the_scale_that_was_asked_for(quadratic, images):
    """The gradient of ``v x^2`` shows the noise: ``2 v`` times it."""
    w, v = quadratic.w[LABELS], quadratic.v[LABELS]
    found = smooth_grad(quadratic, images, LABELS, num_samples=1, sigma=0.15)
    noise = (found - w) / (2 * v) - images
    ranges = images.flatten(1).max(1).values - images.flatten(1).min(1).values
    assert (noise[0] / ranges[0]).std() == pytest.approx(0.15, rel=0.3)
    close(noise[0] / ranges[0], noise[1] / ranges[1])


@pytest.mark.parametrize('method', [saliency, smooth_grad, integrated_gradients])
def test_batches_do_not_matter_and_nothing_is_left_behind(method, network, images):
    network.requires_grad_(False)  # a teacher
    random = torch.get_rng_state()
    with torch.no_grad():
        together = method(network, images)
        apart = torch.cat([method(network, image[None]) for image in images])
    close(together, apart)
    assert together.shape == SIZE and not together.requires_grad
    assert not images.requires_grad
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize(
    'method', [partial(smooth_grad, num_samples=5, sigma=1.0), integrated_gradients]
)
def test_the_class_is_the_one_predicted_for_the_image_itself(method, quadratic, images):
    """Not for its noisy copies, nor for what is on the way to it."""
    predicted = quadratic(images).argmax(1)
    found = method(quadratic, images)
    assert torch.equal(found, method(quadratic, images, predicted))
    for other in (images / 100, images + 2 * torch.randn_like(images)):
        assert not torch.equal(quadratic(other).argmax(1), predicted)


def test_no_gradient_is_left_in_the_parameters(network, images):
    integrated_gradients(network, images, num_steps=2)
    feature_gradients(FeatureExtractor(cls_vit()), torch.randn(2, 3, 32, 32))
    assert all(p.grad is None for p in network.parameters())


def test_a_map_is_the_largest_magnitude_of_the_channels():
    attribution = torch.tensor([1.0, -3.0, 2.0]).view(1, 3, 1, 1).expand(1, 3, 2, 4)
    assert torch.equal(saliency_map(attribution), torch.full((1, 2, 4), 3.0))


# Features -----------------------------------------------------------------------------


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
        close(found, (scores[0] - scores[1]) / 2e-5, rtol=1e-4, atol=1e-7)


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
        saliency(cls_vit(), torch.randn(2, 3, 32, 32), labels)


@pytest.mark.parametrize('method', [saliency, smooth_grad, integrated_gradients])
def test_what_are_no_logits(method, images):
    with pytest.raises(ValueError, match=r'gives \(2, 3, 4, 5\), wanted logits \(B, classes\)'):
        method(nn.Identity(), images)
