"""k-NN accuracy without a head is the same on one process and on two."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mmvitkd  # noqa: F401

import pytest

SCRIPT = Path(__file__).with_name('validate_on_ranks.py')
TORCHRUN = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2']


def validate(*options, root):
    environment = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(root))
    done = subprocess.run(
        [sys.executable, *options, str(SCRIPT)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # A last line for each process: the first one's on its output, the other's on its errors.
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line[:1] == '{']
    return [json.loads(line) for line in lines]


def test_two_processes_find_what_one_finds(request):
    [alone] = validate(root=request.config.rootpath)
    both = validate(*TORCHRUN, root=request.config.rootpath)
    assert len(both) == 2 and both[0] == both[1]
    assert both[0] == pytest.approx(alone, rel=1e-6)
    assert {*alone} == {'knn/top1'}
