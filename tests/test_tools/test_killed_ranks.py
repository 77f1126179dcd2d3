"""tools/dist_train.sh when a rank or torchrun is killed: it goes on, or all ranks end."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.utils.folder_lock import folder_lock

import pytest
import torch
from image_folders import write_folder

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/mnist5k/vit_32.py'
OPTIONS = [
    'train_dataloader.batch_size=4',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'train_cfg.max_epochs=2',
    'train_cfg.val_interval=1',
    'param_scheduler.0.end=1',
    'param_scheduler.1.begin=1',
    'default_hooks.watchdog.timeout=60',
]


@pytest.fixture(scope='module')
def digits(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp('digits'), 10, 10, 2, (28, 28), 'png')


@pytest.fixture
def train(tmp_path, digits):
    """Train on two ranks, 13 iterations an epoch; return the exit code and the output."""

    def run(folder, hook='', restarts=0):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = str(free.getsockname()[1])
        options = [f'{s}_dataloader.dataset.data_root={digits}' for s in ('train', 'val')]
        config = tmp_path / f'{folder}.py'
        config.write_text(
            f"_base_ = '{ROOT / CONFIG}'\n"
            "custom_imports = dict(imports=['kill_hook'])\n"
            f'custom_hooks = [{hook}]\n'
        )
        command = ['bash', ROOT / 'tools/dist_train.sh', config, '2', '--resume']
        command += ['--work-dir', tmp_path / folder, '--cfg-options', *OPTIONS, *options]
        done = subprocess.run(
            command,
            env=dict(
                os.environ,
                PORT=port,
                PYTHON=sys.executable,
                PYTHONPATH=str(Path(__file__).parent),
                MAX_RESTARTS=str(restarts),
            ),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    return run


def assert_same_weights(one, other):
    first, second = (
        torch.load(path / 'epoch_2.pth', weights_only=True) for path in (one, other)
    )
    assert first['meta']['iter'] == second['meta']['iter'] > 0
    for key, value in first['state_dict'].items():
        assert torch.equal(value, second['state_dict'][key]), key


def test_a_killed_rank_comes_back_and_the_result_is_equal(train, tmp_path):
    code, output = train('whole')
    assert code == 0, output
    killed = "dict(type='mmengine.KillHook', what='rank', rank=1, iteration=16)"
    code, output = train('killed', killed, restarts=1)
    assert code == 0, output
    assert (tmp_path / 'killed' / 'killed').exists()
    assert_same_weights(tmp_path / 'whole', tmp_path / 'killed')


def test_the_ranks_of_a_killed_torchrun_save_and_end(train, tmp_path):
    killed = "dict(type='mmengine.KillHook', what='launcher', rank=0, iteration=2)"
    code, output = train('killed', killed)  # ends with the last rank that holds the output
    assert code == -9
    assert not (tmp_path / 'killed' / 'epoch_1.pth').exists()
    assert len(list((tmp_path / 'killed').glob('iter_*.pth'))) == 1, output
    with folder_lock(tmp_path / 'killed', 'a training'):
        pass
