"""Tokens of low rank: next to the singular value decomposition of LAPACK in float64."""

import mmvitkd  # noqa: F401
from mmvitkd.cache.codecs import LowRankTokens
from mmvitkd.cache.codecs.low_rank_tokens import relative_error

import numpy as np
import pytest
import torch


def round_trip(x, rank):
    codec = LowRankTokens(tuple(x.shape[1:]), rank)
    return codec.decode(codec.encode(x))


def truncated(x, rank):
    """The best approximation, and its error."""
    left, values, right = np.linalg.svd(x.double().numpy(), full_matrices=False)
    kept = (left[..., :rank] * values[:, None, :rank]) @ right[:, :rank]
    lost = np.sqrt((values[:, rank:] ** 2).sum(1) / (values**2).sum(1))
    return torch.from_numpy(kept).float(), torch.from_numpy(lost).float()


@pytest.mark.parametrize('shape', [(30, 50), (50, 30), (40, 40)])
@pytest.mark.parametrize('rank', [1, 5, 30])
def test_it_is_the_best_approximation_up_to_rounding(shape, rank):
    x = torch.randn(3, *shape) * torch.logspace(0, -2, shape[1]) + 0.3
    best, lost = truncated(x, rank)
    decoded = round_trip(x, rank)
    assert (relative_error(best, decoded) < 0.015).all()
    assert (relative_error(x, decoded) < lost + 0.01).all()


def test_tokens_of_that_rank_come_back():
    x = torch.randn(2, 20, 3) @ torch.randn(2, 3, 24)
    assert (relative_error(x, round_trip(x, 3)) < 0.01).all()


def test_it_is_not_centred():
    x = torch.randn(2, 1, 24).expand(2, 20, 24)
    assert (relative_error(x, round_trip(x, 1)) < 0.01).all()


def test_components_far_below_the_first_keep_their_precision():
    """One scale a component: a token of massive activations does not drown the rest."""
    x = torch.randn(2, 20, 24)
    x[:, 3] = 0
    massive = x.clone()
    massive[:, 3, 5] = 1000
    rest = torch.arange(20) != 3
    error = relative_error(massive[:, rest], round_trip(massive, 20)[:, rest])
    assert (error < 0.05).all()


def test_zeros_are_exact():
    assert not round_trip(torch.zeros(2, 6, 4), 2).any()


@pytest.mark.parametrize('rank', [0, 7])
def test_a_rank_out_of_range_is_refused_by_its_name(rank):
    with pytest.raises(ValueError, match=rf'rank: found {rank}, wanted 1 to 6 .*\(6, 8\)'):
        LowRankTokens((6, 8), rank)


def test_a_shape_without_tokens_is_refused():
    with pytest.raises(ValueError, match=r'shape: found \(8,\), wanted \(N, C\)'):
        LowRankTokens((8,), 1)


def test_relative_error():
    x = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]], [[0.0, 2.0]]])
    decoded = torch.tensor([[[3.0, 3.0]], [[0.0, 0.0]], [[0.0, 0.0]]])
    torch.testing.assert_close(relative_error(x, decoded), torch.tensor([0.2, 0.0, 1.0]))
