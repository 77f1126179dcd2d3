"""Fixtures of hooks: a toy run, also in two processes."""

import os

from mmvitkd.engine.runner import Runner

import pytest
import torch
from torch import multiprocessing
from toy_runs import build_run


@pytest.fixture
def make_runner(tmp_path, monkeypatch):
    """Build a toy run in a folder."""
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)  # it calls compilers
    monkeypatch.setattr('os.fsync', lambda file: None)  # seconds on a busy disk
    return lambda folder='run', **kwargs: build_run(tmp_path / folder, **kwargs)


@pytest.fixture
def scalars():
    """Collect what a run has logged: name -> all values, without the times, which differ."""

    def read(runner) -> dict[str, list[float]]:
        return {
            name: buffer.data[0].tolist()
            for name, buffer in runner.message_hub.log_scalars.items()
            if 'time' not in name
        }

    return read


def _begin(rank, function, folder):
    """Join the two processes and run a function in both."""
    torch.set_num_threads(1)
    os.chdir(folder)  # MMEngine gathers metrics through a folder there
    os.environ['LOCAL_RANK'] = str(rank)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2
    )
    function(rank)


@pytest.fixture
def run_twice(tmp_path):
    """Run function(rank) in two processes on gloo; return their exit codes."""
    if torch.cuda.is_available():
        pytest.skip('CUDA does not survive a fork')
    context = multiprocessing.get_context('fork')

    def run(function) -> list[int]:
        arguments = [(rank, function, tmp_path) for rank in range(2)]
        processes = [context.Process(target=_begin, args=a, daemon=True) for a in arguments]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        return [process.exitcode for process in processes]

    return run


@pytest.fixture
def distributed():
    """Arguments of a run in several processes on CPUs."""
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    return dict(launcher='pytorch', cfg=dict(model_wrapper_cfg=wrapper))
