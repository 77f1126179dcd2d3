"""Strict loading: every key must fit, and the error lists those that do not."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.vit import mmpretrain_to_timm
from mmvitkd.checkpoint.load_strict import load_strict

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn
from toy import vit


def test_weights_that_fit_are_loaded():
    model = nn.Linear(2, 3)
    weights = dict(weight=torch.randn(3, 2), bias=torch.randn(3))
    load_strict(model, weights, 'checkpoint', 'a.pth')
    assert torch.equal(model.weight, weights['weight'])
    assert torch.equal(model.bias, weights['bias'])


def test_what_does_not_fit_is_listed():
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(4)))
    weights = {'0.weight': torch.zeros(2, 2), '0.bias': torch.zeros(3), 'x': torch.zeros(1)}
    with pytest.raises(ValueError) as error:
        load_strict(model, weights, 'checkpoint', 'a.pth')
    assert str(error.value).splitlines() == [
        "checkpoint='a.pth' does not fit the model, a Sequential: 1 of its 8 tensors fit.",
        '  missing: 1.weight, 1.bias, 2.weight, 2.bias, 3.weight and 1 more.',
        '  unknown: x.',
        '  of another shape: 0.bias: wanted (2,), found (3,).',
    ]


@pytest.mark.parametrize('dtype', [torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_what_is_no_weight_is_refused(dtype):
    weights = dict(weight=torch.ones(3, 2, dtype=dtype), bias=torch.randn(3))
    name = str(dtype).removeprefix('torch.')
    message = rf"checkpoint='a\.pth'.*: weight: wanted float32, found {name}\."
    with pytest.raises(ValueError, match=message):
        load_strict(nn.Linear(2, 3), weights, 'checkpoint', 'a.pth')


def test_half_precision_and_counters_are_loaded():
    model = nn.BatchNorm1d(2)
    weights = {
        k: v.half() if v.is_floating_point() else v + 3 for k, v in model.state_dict().items()
    }
    load_strict(model, weights, 'checkpoint', 'a.pth')
    assert model.num_batches_tracked == 3


def test_other_names_of_the_same_tensors_are_explained():
    model = MODELS.build(vit())
    with pytest.raises(ValueError, match=r'names of timm, .*of mmpretrain: .*convert_checkpo'):
        load_strict(model, mmpretrain_to_timm(model.state_dict()), 'checkpoint', 'a.pth')
