"""A student of timm's own: trained, resumed to the bit, tested and exported."""

from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import timm
import torch
from mmengine.config import Config
from toy_students import training, write_images


@pytest.fixture
def config(tmp_path):
    """A distillation of two epochs into a TimmClassifier, with a moving average."""
    cfg = training('timm', write_images(tmp_path / 'images'), teacher_ckpt=None)
    cfg.model.allow_random_teacher = True
    cfg.model.architecture.pretrained = False
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=9)
    cfg.runner_type = 'mmvitkd.Runner'
    cfg.param_scheduler = []
    cfg.default_hooks.checkpoint.interval = 1
    cfg.randomness = dict(seed=0)
    cfg.val_dataloader, cfg.val_evaluator = cfg.test_dataloader, cfg.test_evaluator
    cfg.val_cfg = {}
    cfg.dump(tmp_path / 'student.py')
    return tmp_path / 'student.py'


def read(file):
    return torch.load(file, weights_only=True)


def test_train_resume_test_and_export(config, run_tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_tool('train', config, '--work-dir', 'whole')
    whole = Path('whole')
    Path('half').mkdir()
    (whole / 'epoch_1.pth').rename('half/epoch_1.pth')
    run_tool('train', config, '--work-dir', 'half', '--resume')
    wanted, found = read('whole/epoch_2.pth'), read('half/epoch_2.pth')
    for part in ('state_dict', 'ema_state_dict'):
        assert any(key.endswith('model.blocks.0.attn.qkv.weight') for key in wanted[part])
        assert wanted[part].keys() == found[part].keys()
        assert all(torch.equal(value, found[part][key]) for key, value in wanted[part].items())

    trained = Config.fromfile(whole / 'student.py')
    run_tool('test', whole / 'student.py', whole / 'epoch_2.pth', '--out', 'metrics.json')
    assert Config.fromfile(whole / 'student.py').model == trained.model
    run_tool(
        *('model_converters/export_student', whole / 'student.py', whole / 'epoch_2.pth'),
        *('--out', 'out', '--formats', 'mmpretrain', 'timm'),
    )
    exported = timm.create_model(f'local-dir:{tmp_path}/out/timm', pretrained=True)
    for key, value in exported.state_dict().items():
        assert torch.equal(value, wanted['state_dict'][f'architecture.model.{key}']), key
