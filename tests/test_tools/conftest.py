"""Run the tools in this process, or as a user would on two CPUs."""

import os
import socket
import subprocess
import sys
from importlib import import_module
from itertools import count
from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for its helper modules

ROOT = Path(__file__).parents[2]
RUNS = count()


@pytest.fixture
def run_tool(monkeypatch):
    """Run a tool in this process; each run is an experiment of its own for MMEngine."""

    def run(name, *args, options=()):
        options = [f'experiment_name=run_{next(RUNS)}', *options]
        monkeypatch.setattr(sys, 'argv', [name, *map(str, args), '--cfg-options', *options])
        import_module('tool_modules').load_tool(name).main()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield run
    torch.set_num_threads(threads)


@pytest.fixture
def run_distributed():
    """Run `bash tools/dist_*.sh`, with what it needs in the environment."""

    def run(script, *args, pythonpath=''):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        environment = dict(
            os.environ,
            PORT=str(port),
            PYTHON=sys.executable,
            PYTHONPATH=str(pythonpath),
            OMP_NUM_THREADS='1',
        )
        done = subprocess.run(
            ['bash', str(ROOT / 'tools' / script), *map(str, args)],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    return run
