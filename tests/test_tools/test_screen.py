"""A training prints a dozen lines before its first loss; its log file has the rest."""

import os
import subprocess
import sys
from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import torch
from image_folders import write_folder
from mmengine.config import Config
from mmpretrain.registry import MODELS

ROOT = Path(__file__).parents[2]
MOST_LINES = 15
OPTIONS = [
    'train_dataloader.batch_size=32',
    'train_cfg.max_epochs=2',
    'train_cfg.val_interval=1',
    'param_scheduler.0.end=1',
    'param_scheduler.1.begin=1',
]
# What only the file has, in the order of the log.
DETAILS = [
    'System environment',
    'Config:\ndata_preprocessor',
    'SyncBatchNorm',
    'Hooks will be executed',
    'paramwise_options',
    '"FileClient" will be deprecated',
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Digits of noise, and a teacher of random weights."""
    folder = tmp_path_factory.mktemp('run')
    write_folder(folder / 'digits', 10, 10, 2, (28, 28), 'png')
    model = MODELS.build(Config.fromfile(ROOT / 'configs' / 'mnist5k' / 'vit_64.py').model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'teacher.pth')
    return folder


@pytest.fixture
def tool(folder, tmp_path):
    """Run a tool, and return what it prints and what its log has."""

    def tool(name, config, *args, options=(), work_dir=tmp_path):
        command = [sys.executable, '-W', 'default', ROOT / 'tools' / f'{name}.py']
        config = ROOT / 'configs' / 'mnist5k' / config
        options = [f'data_root={folder / "digits"}', *options]
        done = subprocess.run(
            [*command, config, *args, '--work-dir', work_dir, '--cfg-options', *options],
            env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(ROOT)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        [*_, log] = sorted(work_dir.glob('*/*.log'))
        return done.stdout, log.read_text()

    return tool


def start_of(screen):
    """The lines before the first loss."""
    lines = screen.splitlines()
    return lines[: next(i for i, line in enumerate(lines) if 'Epoch(train)' in line)]


def test_a_distillation(tool, folder):
    options = [*OPTIONS, f'model.teacher_ckpt={folder / "teacher.pth"}']
    screen, log = tool('train', 'vit_32_feature_kd.py', options=options)
    start = start_of(screen)
    assert len(start) <= MOST_LINES
    for line, told in zip(
        start,
        [
            ('vit_32_feature_kd.py', '.log'),
            ('VisionTransformer', '81.9 K parameters', '1.44 M MACs', '28 px'),
            ('teacher.pth', '311 K parameters', '5.39 M MACs'),
            ('student block 5 and teacher block 5', 'FeatureMSELoss', 'weight 0.2'),
            ('train 100 images of 10 classes', 'val 20 images held out'),
            ('2 epochs of 3 iterations', '32 images', 'lr 0.002', '3 of warm-up'),
            ('float32 on CPU', '1 process'),
            ("The teacher's own validation top-1", '20 images'),
        ],
        strict=False,
    ):
        assert all(part in line for part in told), line
    for detail in DETAILS:
        assert detail in log and detail.splitlines()[0] not in screen
    assert all(line.partition(' - ')[2] in log for line in start if 'CHANCE' not in line)


def test_a_plain_training_and_where_it_goes_on(tool, tmp_path):
    screen, log = tool('train', 'vit_32.py', options=OPTIONS)
    assert len(start_of(screen)) <= MOST_LINES
    assert 'Teacher' not in screen and 'Losses: labels: CrossEntropyLoss' in screen
    assert all(detail in log for detail in DETAILS)
    assert 'Epoch(train) [1][1/3]' in screen  # also of three iterations an epoch
    (tmp_path / 'epoch_2.pth').unlink()
    (tmp_path / 'last_checkpoint').unlink()
    screen, _ = tool('train', 'vit_32.py', '--resume', options=OPTIONS)
    start = start_of(screen)
    assert len(start) <= MOST_LINES
    assert 'epoch_1.pth, after 3 of 6 iterations: epoch 2 of 2' in start[-1]


def test_all_of_it_if_asked(tool):
    screen, _ = tool('train', 'vit_32.py', options=[*OPTIONS, 'verbose=True'])
    assert len(start_of(screen)) > 100
    assert 'Hooks will be executed' in screen


def test_a_test(tool, tmp_path):
    tool('train', 'vit_32.py', options=OPTIONS)
    screen, log = tool(
        'test', 'vit_32.py', tmp_path / 'epoch_2.pth', work_dir=tmp_path / 'test'
    )
    assert len(screen.splitlines()) <= MOST_LINES
    assert 'epoch_2.pth' in screen and 'accuracy/top1' in screen
    assert 'test 20 images of 10 classes' in screen
    assert 'System environment' in log


EARLY = """
import logging, warnings
from mmvitkd.engine.logging.screen import quiet, quiet_start
from mmengine.logging import MMLogger
quiet_start()
MMLogger.get_current_instance().info('an early detail')
warnings.warn('of a user')
warnings.warn_explicit('of torch', UserWarning, '/x/site-packages/torch/a.py', 1)
logging.getLogger('timm').warning('of timm')
logging.getLogger('timm').error('an error of timm')
quiet(MMLogger.get_instance('run', log_file='run.log'))
warnings.warn_explicit('later of torch', UserWarning, '/x/site-packages/torch/a.py', 2)
"""


@pytest.fixture
def script(tmp_path):
    """Run a script in a folder; return what it printed."""

    def run(text):
        (tmp_path / 'own.py').write_text(text)
        return subprocess.run(
            [sys.executable, 'own.py'],
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        ).stdout

    return run


def test_what_comes_before_the_log_file_and_from_other_packages(script, tmp_path):
    screen = script(EARLY)
    log = (tmp_path / 'run.log').read_text()
    for told in ('of a user', 'an error of timm'):
        assert told in screen and told in log
    for told in ('an early detail', 'of torch', 'WARNING - of timm', 'later of torch'):
        assert told not in screen and told in log


OF_RANK = """
import warnings
from mmvitkd.engine.logging.screen import quiet_start
from mmengine.logging import MMLogger
quiet_start({rank})
MMLogger.get_current_instance().warning('of the config')
MMLogger.get_current_instance().error('an error')
warnings.warn('of a user')
"""


@pytest.mark.parametrize('rank', [0, 1])
def test_warnings_are_those_of_the_first_process(script, rank):
    screen = script(OF_RANK.format(rank=rank))
    assert 'an error' in screen
    assert [told in screen for told in ('of the config', 'of a user')] == [rank == 0] * 2
