"""The configs for a user's own folder: one command, two keys."""

from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import timm
import torch
from folders import write_noise
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs' / 'image_folder'
SHORT = [
    'num_classes=3',
    'train_dataloader.batch_size=3',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'train_cfg.max_epochs=2',
    'param_scheduler.0.end=1',
    'param_scheduler.1.begin=1',
]


@pytest.fixture
def pets(tmp_path):
    """Three classes of two images, and no val."""
    names = [f'{kind}/{i}.jpg' for kind in ('bird', 'cat', 'dog') for i in range(2)]
    return write_noise(tmp_path / 'pets', *names, size=(40, 50, 3))


def train(run_tool, name, pets, out, *options):
    options = [f'data_root={pets}', *SHORT, *options]
    run_tool('train', CONFIGS / name, '--work-dir', out, options=options)
    return torch.load(out / 'epoch_2.pth', weights_only=True)


@pytest.mark.parametrize('pretrained', [False, True])
def test_a_student_of_timms_teacher(pretrained, run_tool, pets, tmp_path):
    """The teacher has ImageNet's 1,000 classes, the folder 3."""
    narrow = timm.create_model('deit_tiny_patch16_224')
    torch.save(dict(model=narrow.state_dict()), tmp_path / 'deit_tiny.pth')
    options = ['model.allow_random_teacher=True', 'optim_wrapper.optimizer.lr=0.0']
    if pretrained:
        options += [f'model.student_ckpt={tmp_path}/deit_tiny.pth']
    name = 'deit_small_deit_tiny_widelast.py'
    checkpoint = train(run_tool, name, pets, tmp_path / 'run', *options)
    weights = checkpoint['state_dict']
    assert weights['architecture.head.layers.head.weight'].shape == (3, 384)
    assert all(key.startswith('architecture.') for key in weights)
    block = weights['architecture.backbone.layers.10.attn.qkv.weight']
    assert torch.equal(block, narrow.blocks[10].attn.qkv.weight) == pretrained
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'validation top-1: none, it has 1000 outputs for 3 classes' in log
    assert ('Student starts from' in log) == pretrained
    dumped = Config.fromfile(tmp_path / 'run' / name)
    assert dumped.data_preprocessor.num_classes == 3


def test_a_teacher_of_ones_own_and_its_student(run_tool, pets, tmp_path, monkeypatch):
    """Fine-tune one from timm, then distil its logits and features."""
    source = timm.create_model('deit_small_patch16_224').state_dict()
    hub = 'timm.models._builder.load_state_dict_from_hf'
    monkeypatch.setattr(hub, lambda *args, **kwargs: dict(source))
    options = [f'data_root={pets}', *SHORT]
    run_tool('train', CONFIGS / 'deit_small.py', '--work-dir', tmp_path / 't', options=options)
    fine_tuned = [
        f'model.teacher_ckpt={tmp_path}/t/epoch_2.pth',
        'model.teacher.num_classes=3',
    ]
    name = 'deit_small_deit_tiny_widelast_softkd.py'
    checkpoint = train(run_tool, name, pets, tmp_path / 's', *fine_tuned)
    history = checkpoint['message_hub']['log_scalars']
    assert {'train/distill.loss_kd', 'train/distill.loss_pair_0'} <= set(history)
    log = next((tmp_path / 's').glob('*/*.log')).read_text()
    assert f'Teacher loaded from {tmp_path}/t/epoch_2.pth' in log
    assert "The teacher's own validation top-1: " in log
