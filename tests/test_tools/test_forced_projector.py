"""A forced projector, as a user trains it: on two processes, and exported without it."""

import re

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.find import last_checkpoint
from mmvitkd.export.student import read_student

import pytest
import torch
from image_folders import write_folder
from mmengine.config import Config
from mmpretrain.registry import MODELS

CONFIG = """
_base_ = '{root}/configs/mnist5k/vit_32_subspace_sep.py'
model = dict(teacher_ckpt=None, allow_random_teacher=True)
"""


@pytest.fixture
def trained(run_distributed, tmp_path, request):
    """The config, its last checkpoint and the log of two epochs."""
    folder = write_folder(tmp_path / 'digits', 10, 2, 1, (28, 28, 3), 'png')
    config = tmp_path / 'forced.py'
    config.write_text(CONFIG.format(root=request.config.rootpath))
    log = run_distributed(
        *('dist_train.sh', config, 2, '--work-dir', tmp_path / 'run', '--cfg-options'),
        *('train_dataloader.batch_size=4', 'val_dataloader.batch_size=4'),
        *('train_dataloader.num_workers=0', 'val_dataloader.num_workers=0'),
        f'train_dataloader.dataset.data_root={folder}',
        f'val_dataloader.dataset.data_root={folder}',
        *('train_cfg.max_epochs=2', 'param_scheduler.0.end=1', 'param_scheduler.1.begin=1'),
        *('default_hooks.logger.interval=1', 'env_cfg.dist_cfg.backend=gloo'),
    )
    return Config.fromfile(config), str(last_checkpoint(tmp_path / 'run')), log


def test_two_processes_train_what_leaves_no_trace(trained):
    config, checkpoint, log = trained
    [floor] = set(re.findall(r'feature/pair_0_subspace/floor: ([\d.]+)', log))
    losses = [float(x) for x in re.findall(r'distill.loss_pair_0_subspace: ([\d.]+)', log)]
    assert 0 <= float(floor) < min(losses) / 10 and max(losses) <= 10
    assert 'distill.loss_pair_0_sep: ' in log and 'nan' not in log

    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    projector = {k for k in weights if k.startswith('distiller.')}
    assert projector == {f'distiller.connectors.pair_0_S.proj.{k}' for k in ('weight', 'bias')}
    student = read_student(config, checkpoint)
    plain = MODELS.build(config.model.architecture)
    assert student.model.state_dict().keys() == plain.state_dict().keys()
    assert 'Subspace' not in str(student.config) and 'Projector' not in str(student.config)
