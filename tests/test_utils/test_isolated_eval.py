"""An isolated evaluation leaves random streams, flags and precision as they were."""

import random

import mmvitkd  # noqa: F401
from mmvitkd.utils.isolated_eval import isolated_eval

import numpy as np
import pytest
import torch

CPU = torch.device('cpu')


def draw():
    return [random.random(), np.random.random(), torch.rand(1).item()]


def test_the_random_streams_go_on():
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    draw()
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    wanted = draw()
    random.setstate(state[0]), np.random.set_state(state[1]), torch.set_rng_state(state[2])
    with isolated_eval(CPU, seed=0):
        first = draw()
    assert draw() == wanted
    with isolated_eval(CPU, seed=0):
        assert draw() == first
    with isolated_eval(CPU, seed=1):
        assert draw() != first


@pytest.mark.parametrize('flags', [(False, False), (True, False), (True, True)], ids=str)
def test_the_flags_are_put_back_even_after_an_error(flags):
    deterministic, warn_only = flags
    torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
    try:
        state = torch.get_rng_state()
        with pytest.raises(KeyError), isolated_eval(CPU, seed=0):
            assert not torch.are_deterministic_algorithms_enabled()
            raise KeyError
        assert torch.are_deterministic_algorithms_enabled() == deterministic
        assert torch.is_deterministic_algorithms_warn_only_enabled() == warn_only
        assert torch.equal(torch.get_rng_state(), state)
    finally:
        torch.use_deterministic_algorithms(False)


def test_float32_without_gradients_inside_autocast():
    weight = torch.ones(2, 2, requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16):
        with isolated_eval(CPU, seed=0):
            product = weight @ weight
        assert product.dtype == torch.float32 and not product.requires_grad
        assert (weight @ weight).dtype == torch.bfloat16
