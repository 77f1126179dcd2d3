"""The headline command on two CPU processes: real architectures, ImageNet's layout."""

import json

import mmvitkd  # noqa: F401

import pytest
import torch
from image_folders import write_folder

CONFIG = """
_base_ = '{root}/configs/cait_s24_deit_tiny_widelast.py'
custom_imports = dict(imports=['rank_report_hook'])
custom_hooks = [
    dict(type='mmvitkd.StudentEMAHook'),
    dict(type='mmengine.RankReportHook'),
]
"""


@pytest.fixture(scope='module')
def imagenet(tmp_path_factory):
    """1,000 class folders, JPEG files in 4 of them."""
    root = tmp_path_factory.mktemp('imagenet')
    return write_folder(root, 1000, 2, 1, (250, 300, 3), 'jpg', filled=4)


def test_headline_config(run_distributed, imagenet, tmp_path, request):
    config = tmp_path / 'headline.py'
    config.write_text(CONFIG.format(root=request.config.rootpath))
    options = [
        'train_dataloader.batch_size=2',
        'val_dataloader.batch_size=2',
        'train_dataloader.num_workers=0',
        'val_dataloader.num_workers=0',
        f'train_dataloader.dataset.data_root={imagenet}',
        f'val_dataloader.dataset.data_root={imagenet}',
        'model.teacher.pretrained=False',
        'model.allow_random_teacher=True',
        'param_scheduler.0.end=1',
        'param_scheduler.1.begin=1',
    ]

    def train(epochs, *arguments):
        return run_distributed(
            'dist_train.sh',
            config,
            2,
            '--work-dir',
            tmp_path,
            *arguments,
            '--cfg-options',
            f'train_cfg.max_epochs={epochs}',
            *options,
            pythonpath=request.path.parent,
        )

    log = train(2)
    assert log.count('Precision: float32 on CPU, 2 processes') == 1
    assert 'accuracy/top1_ema' in log
    check_ranks(tmp_path, iterations=4)

    train(3, '--resume')
    check_ranks(tmp_path, iterations=6)
    checkpoint = torch.load(tmp_path / 'epoch_3.pth', weights_only=True)
    history = checkpoint['message_hub']['log_scalars']['train/loss']['log_history']
    assert len(history) == 6 and history.isfinite().all()
    assert sum(v.numel() for v in checkpoint['state_dict'].values()) == 7_313_896


def check_ranks(folder, iterations):
    """Both ranks hold the same weights."""
    first, second = json.loads((folder / 'ranks.json').read_text())
    assert first == second
    assert first['iteration'] == iterations
    assert first['find_unused_parameters'] is False
