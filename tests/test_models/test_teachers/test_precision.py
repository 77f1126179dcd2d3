"""The teacher has a precision of its own, close to float32, and returns float32."""

import mmvitkd  # noqa: F401
from mmvitkd.models import Teacher

import pytest
import torch
from mmengine.registry import MODELS
from mmrazor.models.task_modules import RecorderManager
from toy import timm_vit

BLOCKS = [f'model.blocks.{i}' for i in range(4)]


def realistic(config):
    """A teacher's model whose tokens differ, with large activations in a few channels."""
    model = MODELS.build(config)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    with torch.no_grad():
        model.model.blocks[1].mlp.fc2.bias[:2] += 30
    return model


def teacher(model, sources, precision=None, kind='ModuleOutputs'):
    recorders = {
        source or 'logits': dict(type=f'mmrazor.{kind}', source=source) for source in sources
    }
    return Teacher(model, RecorderManager(recorders), precision=precision)


def test_bf16_is_close_and_float32_is_returned():
    model, images = realistic(timm_vit()), torch.randn(8, 3, 32, 32)
    sources = [*BLOCKS, 'model.blocks.3.attn.qkv', '']
    wanted = teacher(model, sources)(images)
    half = teacher(model, sources, 'bf16')
    for found in (half(images), half(images)):
        for name, tensor in found.items():
            assert tensor.dtype == torch.float32
            assert not torch.equal(tensor, wanted[name])
            cosine = torch.cosine_similarity(tensor, wanted[name], dim=-1)
            assert cosine.min() > 0.999, name
    assert half.logits(images).dtype == torch.float32
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not torch.is_autocast_enabled('cpu')


@pytest.mark.parametrize(
    ('precision', 'around', 'like'),
    [
        (None, None, None),
        (None, 'bf16', 'bf16'),
        ('bf16', 'bf16', 'bf16'),
        ('fp32', 'bf16', None),
        ('fp32', None, None),
    ],
)
def test_the_autocast_around_it_counts_only_if_none_is_given(precision, around, like):
    model, images = realistic(timm_vit()), torch.randn(2, 3, 32, 32)
    wanted = teacher(model, BLOCKS, like)(images)
    made = teacher(model, BLOCKS, precision)
    with torch.autocast('cpu', torch.bfloat16, enabled=around == 'bf16'):
        found = made(images)
        assert torch.is_autocast_enabled('cpu') == (around == 'bf16')
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_left_to_the_surroundings_the_type_is_as_it_comes():
    model = realistic(timm_vit())
    with torch.autocast('cpu', torch.bfloat16):
        found = teacher(model, ['model.blocks.0.attn.qkv'])(torch.randn(2, 3, 32, 32))
    assert found['model.blocks.0.attn.qkv'].dtype == torch.bfloat16


def test_tuples_are_returned_in_float32_too():
    made = teacher(realistic(timm_vit()), ['model.blocks.0.mlp.fc2'], 'bf16', 'ModuleInputs')
    for _ in range(2):
        found = made(torch.randn(2, 3, 32, 32))
        assert found['model.blocks.0.mlp.fc2'][0].dtype == torch.float32


class Seen(torch.nn.Module):
    """Keeps what it is shown."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Identity()

    def forward(self, images, mode):
        self.images = images
        return self.layer(images)


@pytest.mark.parametrize('precision', [None, 'bf16', 'fp32'])
def test_the_very_same_images_arrive(precision):
    """No copy, no other type: where the normalisation and the size agree."""
    model, images = Seen(), torch.randn(2, 3, 32, 32)
    made = teacher(model, ['layer'], precision)
    for _ in range(2):
        assert made(images)['layer'] is images
        assert model.images is images
