"""Targets: the naive formulas, constant channels, and what is saved."""

import copy

from mmvitkd.models import TargetTokens

import pytest
import torch

TOKENS = torch.randn(3, 10, 4, generator=torch.Generator().manual_seed(0)) * 2 + 5
MEAN = torch.tensor([5.0, 4.0, 3.0, 2.0], dtype=torch.float64)
STD = torch.tensor([2.0, 1.0, 0.5, 0.0], dtype=torch.float64)


def target(kind, **kwargs):
    connector = TargetTokens(kind, **kwargs).eval()
    connector(TOKENS)  # as the dry run, which finds the width
    return connector


def test_nothing_changes_before_it_is_measured():
    assert torch.equal(target('standardised')(TOKENS).tokens, TOKENS[:, 1:])


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        ('raw', lambda x: x),
        ('centred', lambda x: x - MEAN),
        ('standardised', lambda x: (x - MEAN) / torch.tensor([2.0, 1.0, 0.5, 1.0])),
    ],
)
def test_the_naive_formula(kind, expected):
    connector = target(kind).train()
    connector.set_statistics(MEAN, STD, 30)
    found = connector(TOKENS)
    assert found.grid == (3, 3)
    torch.testing.assert_close(found.tokens.double(), expected(TOKENS[:, 1:].double()))


def test_losses_of_other_libraries_get_maps():
    connector = target('centred', as_map=True)
    connector.set_statistics(MEAN, STD, 30)
    assert connector(TOKENS).shape == (3, 4, 3, 3)


def test_half_precision_is_raised():
    connector = target('centred')
    connector.set_statistics(MEAN, STD, 30)
    assert connector(TOKENS.bfloat16()).tokens.dtype == torch.float32


def test_constant_channels_are_named():
    noisy = torch.tensor([2.0, 1.0, 4e-7, 0.0], dtype=torch.float64)
    assert target('raw').set_statistics(MEAN, noisy, 30) == [2, 3]


def test_all_channels_constant_is_refused():
    with pytest.raises(ValueError, match='all 4 channels are constant over 30'):
        target('raw').set_statistics(MEAN, torch.zeros(4, dtype=torch.float64), 30)


def test_training_without_statistics_is_refused():
    with pytest.raises(ValueError, match=r'pair_target.*TargetStatisticsHook'):
        target('standardised').train()(TOKENS)


def test_statistics_are_saved_with_the_run():
    measured, resumed = target('standardised'), target('standardised').train()
    measured.set_statistics(MEAN, STD, 30)
    resumed.load_state_dict(measured.state_dict())
    assert torch.equal(resumed(TOKENS).tokens, measured(TOKENS).tokens)
    copied = copy.deepcopy(resumed)
    assert copied.is_measured


@pytest.mark.parametrize(
    ('kind', 'mean', 'std'),
    [
        ('raw', MEAN, STD),
        ('centred', torch.zeros(4), STD),
        ('standardised', torch.zeros(4), torch.tensor([1, 1, 1, 0])),
    ],
)
def test_the_moments_of_what_the_loss_gets(kind, mean, std):
    connector = target(kind)
    connector.set_statistics(MEAN, STD, 30)
    found = connector.target_moments()
    assert torch.equal(found[0], mean.float())
    assert torch.equal(found[1], std.float())


def test_an_unknown_kind():
    with pytest.raises(ValueError, match="kind='whitened'"):
        TargetTokens('whitened')
