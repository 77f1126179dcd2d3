"""Tokens in int8: next to a naive loop, and at the edges."""

import mmvitkd  # noqa: F401
from mmvitkd.cache.codecs import Int8Tokens

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity


def round_trip(x):
    codec = Int8Tokens(tuple(x.shape[1:]))
    return codec.decode(codec.encode(x))


def test_it_is_what_a_loop_over_tokens_gives():
    x = torch.randn(2, 5, 7)
    wanted = np.empty((2, 5, 7), np.float32)
    for image in range(2):
        for token in range(5):
            values = x[image, token].numpy()
            scale = np.abs(values).max() / np.float32(127)
            wanted[image, token] = np.rint(values / scale) * scale
    assert np.array_equal(round_trip(x).numpy(), wanted)


@pytest.mark.parametrize('shape', [(16,), (6, 16), (2, 3, 16)])
def test_the_error_is_half_a_level_of_its_token(shape):
    x = torch.randn(4, *shape) * torch.logspace(-3, 3, 4).view(4, *[1] * len(shape))
    level = x.abs().amax(-1, keepdim=True) / 127
    assert ((round_trip(x) - x).abs() <= level * 0.5001).all()


def test_zeros_are_exact():
    x = torch.randn(2, 3, 4)
    x[0, 1] = 0
    decoded = round_trip(x)
    assert not decoded[0, 1].any() and decoded[0, 0].any()


def test_the_largest_magnitudes_of_each_sign_come_back():
    x = torch.tensor([[[3.0, -3.0, 0.01]]])
    torch.testing.assert_close(round_trip(x)[..., :2], x[..., :2], rtol=1e-6, atol=0)


@pytest.mark.parametrize('value', [3e38, 1e-38, 1e-43, 1e-45])
def test_the_largest_and_smallest_floats_are_finite(value):
    decoded = round_trip(torch.full((1, 1, 2), value))
    assert decoded.isfinite().all() and (decoded <= value * 1.0001).all()


def test_one_token_does_not_change_another():
    x = torch.randn(1, 3, 8)
    other = x.clone()
    other[0, 2] *= 1e4
    assert torch.equal(round_trip(x)[:, :2], round_trip(other)[:, :2])


def test_the_cosine_of_maps_of_cait_s24():
    x = torch.randn(4, 196, 384)
    assert cosine_similarity(round_trip(x).flatten(1), x.flatten(1)).min() > 0.9999
