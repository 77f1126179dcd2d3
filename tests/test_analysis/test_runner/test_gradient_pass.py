"""Gradient magnitude against autograd, and within its memory."""

import re

import mmvitkd  # noqa: F401
from mmvitkd.analysis.measures.block import Block
from mmvitkd.analysis.measures.gradient import GradientMeasure
from mmvitkd.analysis.measures.settings import Settings
from mmvitkd.analysis.runner import gradient_pass
from mmvitkd.analysis.runner.evaluation import Evaluation
from mmvitkd.analysis.runner.forward import ForwardPass
from mmvitkd.analysis.runner.gradient_pass import PEAK, GradientPass, saved_bytes
from mmvitkd.utils.bytesize import parse_size
from mmvitkd.utils.errors import KeyedValueError

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
    return ForwardPass(source, PATHS, Settings(MEASURES))


@pytest.fixture
def evaluation(source, images):
    return Evaluation(Block.all_of(source(images), 9, Settings()), [GradientMeasure])


def fed(forward, evaluation, batches, num_classes=5, max_bytes=2**30):
    gradients = GradientPass(forward, num_classes, max_bytes)
    for batch in batches:
        gradients.update(batch, evaluation)
    return [entry['gradient_magnitude'] for entry in evaluation.result().values()]


@pytest.mark.parametrize('num_classes', [5, 4, None])
def test_against_autograd(model, images, batches, forward, evaluation, num_classes):
    """Labels that are not numbered as the model's classes are not taken for them."""
    labels = torch.arange(len(images)) % 5 if num_classes == 5 else model(images).argmax(1)
    wanted = by_hand(model, images, labels)
    found = fed(forward, evaluation, batches(), num_classes)
    assert [entry['mean'] for entry in found] == pytest.approx(wanted, rel=1e-9)
    assert wanted[0] > 0 and wanted[-1] == 0  # no logit depends on the last patches
    score = 'labels' if num_classes == 5 else 'predictions'
    assert {entry['score'] for entry in found} == {score}


def test_fewer_images_at_a_time_give_the_same(images, batches, forward, source):
    one = saved_bytes(source, images[:1])
    blocks = Block.all_of(source(images), 9, Settings())
    results = [
        fed(forward, Evaluation(blocks, [GradientMeasure]), batches(), max_bytes=max_bytes)
        for max_bytes in (2**30, 2.5 * PEAK * one)
    ]
    assert results[0][0]['mean'] == pytest.approx(results[1][0]['mean'], rel=1e-12)


def test_the_limit_that_is_too_low_says_what_would_do(
    images, batches, forward, evaluation, source
):
    one = saved_bytes(source, images[:1])
    with pytest.raises(KeyedValueError, match='gradients take') as error:
        fed(forward, evaluation, batches(), max_bytes=one)
    assert error.value.key == 'memory_limit'
    [wanted] = re.findall('Wanted (.*) or more', str(error.value))
    assert fed(forward, evaluation, batches(), max_bytes=parse_size(wanted) // 2)


def test_saved_bytes_are_those_of_activations(source, images):
    one, three = saved_bytes(source, images[:1]), saved_bytes(source, images[:3])
    assert three == 3 * one  # no weights
    tokens = 17 * 32 * 8  # of one activation
    assert 4 * 10 * tokens < one < 4 * 30 * tokens


def test_gradients_that_are_not_finite(batches, forward, evaluation, monkeypatch):
    def infinite(source, images, labels=None):
        bad = torch.zeros(len(images), 16, 32)
        bad[-1, 3, 2] = torch.inf
        return dict.fromkeys(range(4), bad)

    gradients = GradientPass(forward, 5, 2**30)
    gradients.update(batches()[0], evaluation)
    monkeypatch.setattr(gradient_pass, 'feature_gradients', infinite)
    with pytest.raises(ValueError, match=r'block 0 .*: NaN or infinite gradients of 7.png'):
        gradients.update(batches()[1], evaluation)
