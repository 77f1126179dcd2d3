"""Curves of cumulative energy over tokens, by hand."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.token_shares import TokenShares, curve_report

import pytest
import torch
from splits import check_splits


def test_curves_and_their_spread_by_hand():
    shares = TokenShares([0.5, 0.8])
    shares.update(torch.tensor([[1.0, 1, 2], [3, 1, 0], [0, 0, 0]]).double())
    assert shares.result() == {
        'curve': [0.5, 0.75, 1.0],
        'std': [0.25, 0.25, 0.0],
        'd': {'0.50': 1, '0.80': 3},
        'bandwidth': {'0.50': 1 / 3, '0.80': 1.0},
        'num_tokens': 2,
        'zero_tokens': 1,
    }


def test_a_report_of_a_curve():
    found = curve_report([0.2, 0.8, 0.9, 1.0], [0.1] * 4, [0.2, 0.81])
    assert found['d'] == {'0.20': 1, '0.81': 3}
    assert found['bandwidth'] == {'0.20': 0.25, '0.81': 0.75}


def test_any_split_is_the_same():
    check_splits(TokenShares, torch.rand(7, 11).double())


def test_zero_tokens_of_all_batches_count():
    first = TokenShares()
    first.update(torch.eye(3)[:2].double())
    first.update(torch.zeros(4, 3).double())
    assert first.result()['num_tokens'] == 2
    assert first.result()['zero_tokens'] == 4


def test_tokens_without_energy_are_refused():
    shares = TokenShares()
    shares.update(torch.zeros(4, 3).double())
    with pytest.raises(ValueError, match='of 4 tokens, none has any energy'):
        shares.result()
