"""The null of SEP is the same for any random tokens."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.channel_energy import SortedChannelEnergy
from mmvitkd.analysis.functional.sep_null import null_sep, null_tokens

import numpy as np
import pytest
import torch

ACTIVE = {'one-hot': 1, '8-sparse': 8, 'Gaussian': None}


@pytest.mark.parametrize('active', ACTIVE.values(), ids=ACTIVE)
def test_sep_of_any_random_tokens_is_the_same(active):
    found = null_sep(384, active_channels=active)
    assert found['curve'] == pytest.approx(np.arange(1, 385) / 384, abs=0.01)
    assert found['bandwidth']['0.90'] == pytest.approx(0.90, abs=0.005)
    assert found['bandwidth']['0.50'] == pytest.approx(0.50, abs=0.005)
    assert found['num_tokens'] == 2048
    assert found['active_channels'] == (active or 384)
    assert found['seed'] == 2026


@pytest.mark.parametrize(
    ('active', 'share'), [(1, 0.003), (8, 0.013), (None, 0.45)], ids=ACTIVE
)
def test_sorted_energy_tells_them_apart(active, share):
    measure = SortedChannelEnergy()
    measure.update(null_tokens(384, active_channels=active))
    assert measure.result()['bandwidth']['0.90'] == pytest.approx(share, rel=0.15)


def test_tokens_are_active_in_as_many_channels():
    found = null_tokens(20, 50, active_channels=3)
    assert found.shape == (1, 50, 20)
    assert ((found != 0).sum(-1) == 3).all()
    assert (found != 0).any(1).all()  # different channels in different tokens


def test_a_seed_gives_the_same_tokens_and_leaves_the_generator_alone():
    state = torch.get_rng_state()
    found = null_tokens(20, 5, 4, seed=1)
    assert torch.get_rng_state().equal(state)
    assert found.equal(null_tokens(20, 5, 4, seed=1))
    assert not found.equal(null_tokens(20, 5, 4, seed=2))


def test_folded_bandwidths_are_of_the_folded_spectrum():
    found = null_sep(384, 'folded', thresholds=[0.9])
    assert len(found['curve']) == 193
    assert found['bandwidth'] == pytest.approx({'0.90': 0.9}, abs=0.01)


@pytest.mark.parametrize('active', [0, 21])
def test_more_channels_than_there_are_are_refused(active):
    with pytest.raises(ValueError, match=f'active_channels={active}: wanted 1 to'):
        null_tokens(20, active_channels=active)
