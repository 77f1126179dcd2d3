"""A run that hangs is ended, and the log says which rank hangs where."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.engine import WatchdogHook

import pytest

SCRIPT = Path(__file__).with_name('hanging_run.py')


@pytest.fixture
def start(tmp_path):
    """Start ranks of the toy run; those still there at the end are killed."""
    started = []

    def start(how, rank=0, world_size=1):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = str(free.getsockname()[1])
        for number in range(world_size):
            names = dict(RANK=number, LOCAL_RANK=number, WORLD_SIZE=world_size)
            ranks = {name: str(value) for name, value in names.items()}
            ranks |= dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
            command = [sys.executable, SCRIPT, tmp_path / 'run', how, str(rank)]
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=dict(os.environ, **ranks) if world_size > 1 else None,
            )
            started.append(process)
        return started

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(
    ('how', 'wanted', 'stack'),
    [
        ('loader', 'in a hook or the data loader after train iteration 2', '_next_data'),
        ('step', 'in train iteration 3', 'in hang'),
    ],
)
def test_one_process(start, how, wanted, stack):
    (process,) = start(how)
    output, _ = process.communicate()
    assert process.returncode == 70
    assert f'Rank 0: no progress for 4 s. Stuck: rank 0 (host {socket.gethostname()}' in output
    assert f'process {process.pid}): {wanted}.' in output
    assert 'Thread MainThread' in output and stack in output


@pytest.mark.parametrize('rank', [0, 1])  # rank 0 serves the store
def test_a_stopped_rank_is_named_by_the_other(start, rank):
    processes = start('stopped', rank, 2)
    other = processes[1 - rank]
    output, _ = other.communicate()
    assert other.returncode == 70
    named = re.search(r'Rank \d: no progress for 4 s\. (.*)', output)[1]
    if rank == 0:
        assert 'store' in named and 'rank 0' in named
    else:
        assert f'No sign of life from rank 1 (host {socket.gethostname()}' in named
        assert f'process {processes[1].pid}), last ' in named
        assert 'The other ranks wait: in train iteration 2.' in named


def test_a_rank_without_a_batch_is_told_from_those_that_wait_for_it(start):
    processes = start('loader', 1, 2)
    for process in processes:
        output, _ = process.communicate()
        assert process.returncode == 70
        assert 'Stuck: rank 1 (' in output
        assert 'in a hook or the data loader after train iteration 1.' in output
        assert 'The other ranks wait: in train iteration 2.' in output


def test_a_run_that_ended_with_an_error_is_not_watched(start):
    (process,) = start('raises')
    output, _ = process.communicate()
    assert process.returncode == 0 and 'went on' in output


@pytest.mark.parametrize('timeout', [0, -1.0])
def test_a_timeout_is_above_zero(timeout):
    with pytest.raises(ValueError, match=f'timeout={timeout}'):
        WatchdogHook(timeout)
