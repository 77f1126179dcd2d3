"""Cost against counts made by hand and figures that are published."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis import cost_of

import timm
from torch import nn


def test_a_small_network_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.Flatten(), nn.Linear(64, 5))
    parameters = (3 * 4 * 4 + 4) + (64 * 5 + 5)
    macs = 16 * 4 * (3 * 4) + 64 * 5
    assert cost_of(network, (8, 8)) == (parameters, macs)


def test_attention_is_counted():
    """A published figure: DeiT-Tiny, 2.507 GFLOPs."""
    cost = cost_of(timm.create_model('deit_tiny_patch16_224'), (224, 224))
    assert cost.parameters == 5_717_416
    assert round(2 * cost.macs / 1e9, 3) == 2.507


def test_the_mode_of_the_model_stays():
    network = nn.Conv2d(3, 1, 1).train()
    cost_of(network, (4, 4))
    assert network.training
