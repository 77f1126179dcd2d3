"""All ranks learn at the same step that one of them wants something."""

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner.agreement import Agreement

import pytest
import torch


def test_a_single_rank_agrees_with_itself_at_once():
    agreement = Agreement()
    assert [agreement.at_step(wish) for wish in (False, True, False)] == [False, True, False]
    assert agreement.now(True) and not agreement.now(False)


@pytest.mark.parametrize('asks', [0, 1])
def test_ranks_agree_one_step_later(run_twice, tmp_path, asks):
    def steps(rank):
        agreement = Agreement()
        found = [agreement.at_step(rank == asks and step == 2) for step in range(5)]
        found.append(agreement.now(rank == asks))
        torch.save(found, tmp_path / f'{rank}.pth')

    assert run_twice(steps) == [0, 0]
    for rank in range(2):
        found = torch.load(tmp_path / f'{rank}.pth')
        assert found == [False, False, False, True, False, True]
