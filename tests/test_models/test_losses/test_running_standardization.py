"""RunningStandardization: the statistics of all batches, in one process or two."""

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner.launch import cleanup
from mmvitkd.models.losses.running_standardization import RunningStandardization

import pytest
import torch
from torch import multiprocessing

TOKENS = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0)) * 3 + 100


def standardized(tokens):
    rows = tokens.double().flatten(0, 1)
    return (tokens.double() - rows.mean(0)) / rows.std(0, unbiased=False)


def test_one_batch():
    found = RunningStandardization()(TOKENS)
    torch.testing.assert_close(found.double(), standardized(TOKENS), atol=1e-4, rtol=1e-4)
    assert not found.requires_grad


def test_batches_count_alike_at_first():
    module = RunningStandardization()
    for part in TOKENS.split(1):
        found = module(part)
    wanted = standardized(TOKENS)[-1:]
    torch.testing.assert_close(found.double(), wanted, atol=1e-4, rtol=1e-4)


def _half(rank, folder):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2
    )
    module = RunningStandardization()
    module(TOKENS[2 * rank : 2 * rank + 2])
    torch.save(module.state_dict(), f'{folder}/{rank}.pth')
    cleanup()


def test_two_processes_have_the_statistics_of_both(tmp_path):
    if torch.cuda.is_available():
        pytest.skip('CUDA does not survive a fork')
    context = multiprocessing.get_context('fork')
    processes = [context.Process(target=_half, args=(rank, tmp_path)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    states = [torch.load(tmp_path / f'{rank}.pth', weights_only=True) for rank in range(2)]
    whole = RunningStandardization()
    whole(TOKENS)
    for name, wanted in whole.state_dict().items():
        assert torch.equal(states[0][name], states[1][name])
        torch.testing.assert_close(states[0][name], wanted, rtol=1e-4, atol=1e-4)
