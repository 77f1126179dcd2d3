"""A training of small networks by the published configs: resumed, with several processes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from mmvitkd.config.load_config import load_config
from mmvitkd.engine.runner import Runner

import pytest
import torch

from projects.mdbn.mdbn import MDBN, SuperResolver

pytestmark = pytest.mark.slow  # starts processes
ROOT = Path(__file__).resolve().parents[3]
CONFIGS = ROOT / 'projects/mdbn/configs'
PATCHES = {2: 256, 3: 255, 4: 256}


def tiny(folder, work_dir, iterations=4):
    """Options for a training of seconds on a folder's images."""
    return {
        'work_dir': str(work_dir),
        'model.network.channels': 4,
        'model.network.num_blocks': 1,
        'train_dataloader.batch_size': 2,
        'train_dataloader.num_workers': 0,
        'train_dataloader.dataset.hr_folder': str(folder / 'train'),
        'train_dataloader.dataset.lr_folder': None,
        'train_dataloader.dataset.patch_size': 24,
        'val_dataloader.num_workers': 0,
        'val_dataloader.dataset.hr_folder': str(folder / 'test'),
        'val_dataloader.dataset.lr_folder': None,
        'test_dataloader.dataset.hr_folder': str(folder / 'test'),
        'test_dataloader.dataset.lr_folder': None,
        'train_cfg.max_iters': iterations,
        'train_cfg.val_interval': 2,
        'param_scheduler.T_max': 4,
        'default_hooks.checkpoint.interval': 2,
        'default_hooks.logger.interval': 1,
    }


@pytest.fixture
def folder(write, tmp_path):
    for name in ('train/a.png', 'train/b.png', 'train/c.png', 'test/d.png'):
        write(name, 48, 44, seed=ord(name[-5]))
    return tmp_path


@pytest.mark.parametrize('scale', [2, 3, 4])
def test_the_published_recipe(scale, caplog):
    cfg = load_config(str(CONFIGS / f'x{scale}.py'))
    assert not caplog.records  # every key is read
    assert cfg.model.network == dict(type='MDBN', scale=scale)
    train = cfg.train_dataloader
    assert (train.batch_size, train.dataset.patch_size) == (16, PATCHES[scale])
    adam = cfg.optim_wrapper.optimizer
    assert (adam.type, adam.lr, adam.betas) == ('Adam', 2e-4, (0.9, 0.99))
    cosine = cfg.param_scheduler
    assert cosine.type == 'CosineAnnealingLR' and not cosine.by_epoch
    assert cosine.T_max == cfg.train_cfg.max_iters == 2_000_000 and cosine.eta_min == 1e-7
    assert 1 - cfg.custom_hooks[0].momentum == pytest.approx(0.999)
    assert cfg.randomness.seed == 2023
    assert cfg.val_evaluator.crop_border == cfg.test_evaluator.crop_border == 4


def test_a_resumed_training_is_equal_to_the_bit(folder):
    def train(name, **options):
        options = {**tiny(folder, folder / name), 'experiment_name': name, **options}
        runner = Runner.from_cfg(load_config(str(CONFIGS / 'x2.py'), options))
        runner.train()
        return torch.load(folder / name / 'iter_4.pth', weights_only=True)

    whole = train('whole')
    middle = str(folder / 'whole/iter_2.pth')
    resumed = train('resumed', load_from=middle, resume=True)
    for key in ('state_dict', 'ema_state_dict'):
        assert whole[key].keys() == resumed[key].keys()
        assert all(torch.equal(whole[key][name], resumed[key][name]) for name in whole[key])
    start, name = torch.load(middle, weights_only=True), 'network.conv_last.bias'
    assert not torch.equal(start['state_dict'][name], whole['state_dict'][name])


def test_two_processes_train_and_the_result_is_tested(folder, run):
    """What is converted to the released layout and back scores the same."""
    options = tiny(folder, folder / 'run', iterations=2)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    command = ['bash', 'tools/dist_train.sh', 'projects/mdbn/configs/x3.py', '2']
    done = subprocess.run(
        [*command, *as_arguments(options)],
        env={**os.environ, 'PORT': port, 'PYTHON': sys.executable},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    run('projects/mdbn/convert_checkpoint.py', folder / 'run/iter_2.pth', folder / 'there.pth')
    run('projects/mdbn/convert_checkpoint.py', folder / 'there.pth', folder / 'back.pth')
    scores = {}
    for name, ema in (('run/iter_2', ()), ('back', ()), ('back', ('--ema',))):
        out = folder / 'scores.json'
        arguments = [CONFIGS / 'x3.py', folder / f'{name}.pth', '--out', out, *ema]
        options['experiment_name'] = f'test_{len(scores)}'
        run('tools/test.py', *arguments, *as_arguments(options))
        scores[name, bool(ema)] = json.loads(out.read_text())
    assert scores['run/iter_2', False] == scores['back', False] != scores['back', True]
    assert scores['back', True].keys() == {'luma/psnr', 'luma/ssim'}


def test_a_checkpoint_of_another_scale_is_named(folder, run):
    model = SuperResolver(MDBN(4, channels=4, num_blocks=1))
    torch.save(dict(state_dict=model.state_dict()), folder / 'x4.pth')
    options = {**tiny(folder, folder / 'run'), 'experiment_name': 'another_scale'}
    with pytest.raises(SystemExit, match=r'scale=2: found .* scale 4'):
        run('tools/test.py', CONFIGS / 'x2.py', folder / 'x4.pth', *as_arguments(options))


def as_arguments(options):
    return ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]
