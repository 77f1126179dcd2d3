"""`save_best` and `published_keys`: what a training publishes feeds the other tools."""

import json
import re

import mmvitkd  # noqa: F401

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from PIL import Image

CONFIG = 'configs/mnist5k/vit_32_widelast.py'
FAST = [
    'train_dataloader.batch_size=10',
    'train_cfg.max_epochs=3',
    'train_cfg.val_interval=1',
    'param_scheduler.0.end=1',
    'param_scheduler.1.begin=1',
    'default_hooks.checkpoint.save_best=accuracy/top1',
    "default_hooks.checkpoint.published_keys=['meta','state_dict']",
]


@pytest.fixture
def data(tmp_path):
    """Images that a run of seconds learns to tell apart: the label is their brightness."""
    folder = tmp_path / 'greys'
    for split, count in (('train', 20), ('val', 4)):
        for label in range(10):
            (folder / split / str(label)).mkdir(parents=True)
            for i in range(count):
                grey = Image.new('L', (28, 28), 25 * label + i % 5)
                grey.save(folder / split / str(label) / f'{i}.png')
    return [f'{s}_dataloader.dataset.data_root={folder}' for s in ('train', 'val', 'test')]


@pytest.fixture
def published(run_tool, tmp_path, data):
    """Trains, and finds what was published of the last and of the best epoch."""
    teacher = MODELS.build(Config.fromfile('configs/mnist5k/vit_64.py').model)
    torch.save(teacher.state_dict(), tmp_path / 'teacher.pth')
    options = [*FAST, *data, f'model.teacher_ckpt={tmp_path / "teacher.pth"}']
    run_tool('train', CONFIG, '--work-dir', tmp_path / 'run', options=options)
    found = {}
    for file in (tmp_path / 'run').glob('*.pth'):
        match = re.fullmatch(r'(best_accuracy_top1_)?epoch_(\d)-([0-9a-f]{8})\.pth', file.name)
        if match:
            found['best' if match[1] else 'last'] = file
    return found


def measure(run_tool, tmp_path, options, config, checkpoint):
    out = tmp_path / 'metrics.json'
    where = ['--work-dir', tmp_path, '--out', out, '--out-item', 'metrics']
    run_tool('test', config, checkpoint, *where, options=options)
    return json.loads(out.read_text())


def test_published_checkpoints_feed_the_other_tools(run_tool, published, tmp_path, data):
    assert published.keys() == {'best', 'last'}
    roots = [data[-1].replace('test_dataloader.dataset.', '')]
    for kind, file in sorted(published.items()):
        content = torch.load(file, weights_only=True)
        assert content.keys() == {'meta', 'state_dict'}
        assert all(key.startswith('architecture.') for key in content['state_dict'])
        assert len(content['meta']['dataset_meta']['classes']) == 10
        whole = torch.load(file.with_name(f'{file.stem[:-9]}.pth'), weights_only=True)
        assert kind == 'best' or 'optimizer' in whole
        assert whole['state_dict'].keys() == content['state_dict'].keys()
        for key, value in whole['state_dict'].items():
            assert torch.equal(content['state_dict'][key], value)

        out = tmp_path / kind
        where = ['--out', out, '--formats', 'mmpretrain']
        run_tool('model_converters/export_student', CONFIG, file, *where, options=data)
        assert '| score | not measured |' in (out / 'README.md').read_text()
        metrics = [
            measure(run_tool, tmp_path, data[-1:], CONFIG, file),
            # The export names no folder of this machine.
            measure(run_tool, tmp_path, roots, out / 'student.py', out / 'student.pth'),
        ]
        scores = whole['message_hub']['log_scalars']['val/accuracy/top1']['log_history']
        assert metrics[0] == metrics[1] == {'accuracy/top1': pytest.approx(scores[-1].item())}

    best = torch.load(published['best'], weights_only=True)['meta']['epoch']
    assert len(scores) == 3 and scores[best - 1] == scores.max() > scores.min()
