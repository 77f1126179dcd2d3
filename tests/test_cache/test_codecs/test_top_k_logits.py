"""The largest logits: next to a naive loop, and at the edges."""

from math import exp, log

import mmvitkd  # noqa: F401
from mmvitkd.cache.codecs import TopKLogits

import numpy as np
import pytest
import torch
from torch.nn.functional import kl_div


def round_trip(x, top_k, **kwargs):
    codec = TopKLogits(x.shape[1], top_k, **kwargs)
    return codec.decode(codec.encode(x))


def naive(logits, top_k):
    """Restore a row in Python's floats."""
    lse = log(sum(map(exp, logits)))
    order = sorted(range(len(logits)), key=lambda i: -logits[i])
    logs = {i: float(np.float16(logits[i] - lse)) for i in order[:top_k]}
    share = (1 - sum(map(exp, logs.values()))) / (len(logits) - top_k)
    smallest = min(logs.values())
    return [logs.get(i, min(log(share), smallest)) + lse for i in range(len(logits))]


def test_it_is_what_a_loop_gives():
    x = 3 * torch.randn(6, 12)
    wanted = torch.tensor([naive(row, 4) for row in x.tolist()])
    torch.testing.assert_close(round_trip(x, 4), wanted, rtol=1e-4, atol=1e-4)


def test_the_top_k_are_the_logits_up_to_float16():
    x = 5 * torch.randn(8, 100) + 40
    top = x.topk(20)
    assert (round_trip(x, 20).gather(1, top.indices) - top.values).abs().max() < 0.01


def test_softmax_keeps_the_probability_of_the_rest():
    x = 4 * torch.randn(8, 100)
    top = x.topk(20).indices
    before, after = x.softmax(1), round_trip(x, 20).softmax(1)
    kept = before.gather(1, top).sum(1)
    torch.testing.assert_close(after.gather(1, top).sum(1), kept, rtol=0, atol=1e-3)


def test_the_divergence_is_that_of_an_even_rest():
    x = 4 * torch.randn(64, 1000)
    even = x.softmax(1)
    top = even.topk(20)
    even = ((1 - top.values.sum(1)) / 980)[:, None].repeat(1, 1000)
    even = even.scatter(1, top.indices, top.values).minimum(top.values[:, :1])
    target = x.log_softmax(1)
    found = kl_div(round_trip(x, 20).log_softmax(1), target, log_target=True, reduction='sum')
    assert found >= 0 and found.isfinite()
    exact = even.minimum(torch.where(even < top.values[:, -1:], top.values[:, -1:], even)).log()
    wanted = kl_div(exact.log_softmax(1), target, log_target=True, reduction='sum')
    assert found == pytest.approx(float(wanted), rel=0.05)


@pytest.mark.parametrize('scale', [0, 1e-3, 1, 30, 1e5])
def test_the_rest_is_finite_and_never_above_the_k_th(scale):
    x = scale * torch.randn(32, 50)
    decoded = round_trip(x, 5)
    assert decoded.isfinite().all()
    kept = torch.zeros(32, 50, dtype=torch.bool).scatter(1, x.topk(5).indices, True)
    smallest = decoded.masked_fill(~kept, float('inf')).amin(1)
    assert (decoded.masked_fill(kept, -float('inf')).amax(1) <= smallest).all()


def test_rounded_probabilities_that_sum_above_1():
    values = torch.tensor([[log(0.5), log(0.5)]]).half() + 2**-11
    parts = dict(values=values, indices=torch.tensor([[3, 1]]), lse=torch.zeros(1))
    assert values.float().exp().sum() > 1
    decoded = TopKLogits(5, 2).decode(parts)
    assert decoded.isfinite().all()
    rest = decoded[0, [0, 2, 4]]
    assert (rest == rest[0]).all() and rest.exp().sum() < 1e-5


def test_one_logit_of_two():
    x = torch.tensor([[1.0, 3.0], [2.0, 2.0]])
    torch.testing.assert_close(round_trip(x, 1), x, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(('classes', 'dtype'), [(32767, torch.int16), (32768, torch.int32)])
def test_the_last_class_has_a_number(classes, dtype):
    x = torch.zeros(1, classes)
    x[0, -1] = 9
    parts = TopKLogits(classes, 1).encode(x)
    assert parts['indices'].dtype == dtype and parts['indices'].item() == classes - 1
    assert round_trip(x, 1).argmax() == classes - 1


@pytest.mark.parametrize('top_k', [0, 10, 11])
def test_k_out_of_range_is_refused_by_its_name(top_k):
    with pytest.raises(ValueError, match=f'top_k: found {top_k}, wanted 1 to 9 for 10 classes'):
        TopKLogits(10, top_k)
