"""float32 is exact; float16 is rounded, and refuses what it cannot hold."""

import mmvitkd  # noqa: F401
from mmvitkd.cache.codecs import Floats

import numpy as np
import pytest
import torch


def test_float32_is_exact():
    x = torch.randn(4, 3, 5) * torch.logspace(-30, 30, 5)
    codec = Floats((3, 5))
    assert torch.equal(codec.decode(codec.encode(x)), x)


def test_bfloat16_is_exact_in_float32():
    x = torch.randn(4, 5).bfloat16()
    codec = Floats((5,), dtype='bfloat16')
    assert torch.equal(codec.decode(codec.encode(x)), x)


def test_float16_rounds_as_numpy_does():
    x = torch.randn(4, 5)
    codec = Floats((5,), stored='float16')
    wanted = x.numpy().astype(np.float16).astype(np.float32)
    assert np.array_equal(codec.decode(codec.encode(x)).numpy(), wanted)


@pytest.mark.parametrize('value', [65505.0, -7e4])
def test_float16_refuses_what_would_be_infinite(value):
    x = torch.tensor([[1.0, value]])
    with pytest.raises(ValueError, match=r'65504: store float32'):
        Floats((2,), stored='float16').encode(x)
    assert Floats((2,)).encode(x)['values'][0, 1] == value


def test_float16_holds_its_largest_number():
    codec = Floats((2,), stored='float16')
    assert codec.decode(codec.encode(torch.tensor([[1.0, -65504]])))[0, 1] == -65504


def test_another_way_of_storing_is_refused():
    with pytest.raises(
        ValueError, match="stored: found 'int4', wanted one of float32, float16"
    ):
        Floats((2,), stored='int4')
