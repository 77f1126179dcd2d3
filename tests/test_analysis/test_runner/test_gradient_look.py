"""Gradient magnitude against autograd, and within its memory."""

import re

import mmvitkd  # noqa: F401
from mmvitkd.analysis.runner import gradient_look
from mmvitkd.analysis.runner.forward import Forward
from mmvitkd.analysis.runner.gradient_look import PEAK, GradientLook, saved_bytes
from mmvitkd.analysis.runner.settings import Settings
from mmvitkd.utils.bytesize import parse_size

import pytest
import torch

MEASURES = ('gradient',)
PATHS = [f'{i}.png' for i in range(9)]


def by_hand(model, images, labels):
    """Mean magnitude over channels, patch tokens and images at each block."""
    outputs = []
    hooks = [
        block.register_forward_hook(lambda module, args, output: outputs.append(output))
        for block in model.model.blocks
    ]
    logits = model(images.clone().requires_grad_())
    for output in outputs:
        output.retain_grad()
    logits[torch.arange(len(images)), labels].sum().backward()
    for hook in hooks:
        hook.remove()
    return [output.grad[:, 1:].abs().mean().item() for output in outputs]


@pytest.fixture
def forward(source):
    return Forward(source, PATHS, Settings(MEASURES))


@pytest.mark.parametrize('num_classes', [5, 4, None])
def test_against_autograd(model, images, batches, forward, num_classes):
    """Labels that are not numbered as the model's classes are not taken for them."""
    look = GradientLook(forward, num_classes, 2**30)
    for batch in batches():
        look.update(batch)
    labels = torch.arange(len(images)) % 5 if num_classes == 5 else model(images).argmax(1)
    wanted = by_hand(model, images, labels)
    found = look.result()
    assert [entry['mean'] for entry in found.values()] == pytest.approx(wanted, rel=1e-9)
    assert wanted[0] > 0 and wanted[-1] == 0  # no logit depends on the last patches
    score = 'labels' if num_classes == 5 else 'predictions'
    assert {entry['score'] for entry in found.values()} == {score}


def test_as_many_images_at_a_time_as_fit(images, batches, forward, source, monkeypatch):
    one = saved_bytes(source, images[:1])
    sizes, own = [], gradient_look.feature_gradients

    def noting(source, images, labels=None):
        sizes.append(len(images))
        return own(source, images, labels)

    results = []
    monkeypatch.setattr(gradient_look, 'feature_gradients', noting)
    for budget in (2**30, 2.5 * PEAK * one):
        look = GradientLook(forward, 5, budget)
        for batch in batches():
            look.update(batch)
        results.append(look.result())
    assert sizes == [1, 4, 4, 1, 1, 2, 2, 2, 2, 1]  # the first is to see what it takes
    assert results[0][0]['mean'] == pytest.approx(results[1][0]['mean'], rel=1e-12)
    with pytest.raises(
        ValueError, match=r'memory_limit: gradients take .* KiB are left .* 50 %'
    ) as error:
        GradientLook(forward, 5, one).update(batches()[0])
    (wanted,) = re.findall(
        r'Wanted (.*) or more, or measures without gradient', str(error.value)
    )
    GradientLook(forward, 5, parse_size(wanted) // 2).update(batches()[0])


def test_saved_bytes_are_those_of_activations(source, images):
    one, three = saved_bytes(source, images[:1]), saved_bytes(source, images[:3])
    assert three == 3 * one  # no weights
    tokens = 17 * 32 * 8  # of one activation
    assert 4 * 10 * tokens < one < 4 * 30 * tokens


def test_the_gradients_of_weights_are_left_alone(source, batches, forward):
    look = GradientLook(forward, 5, 2**30)
    look.update(batches()[0])
    assert all(p.grad is None for p in source.model.parameters())


def test_gradients_that_are_not_finite(batches, forward, monkeypatch):
    def infinite(source, images, labels=None):
        bad = torch.zeros(len(images), 16, 32)
        bad[-1, 3, 2] = torch.inf
        return dict.fromkeys(range(4), bad)

    look = GradientLook(forward, 5, 2**30)
    look.update(batches()[0])
    monkeypatch.setattr(gradient_look, 'feature_gradients', infinite)
    with pytest.raises(ValueError, match=r'block 0 .*: NaN or infinite gradients of 7.png'):
        look.update(batches()[1])
