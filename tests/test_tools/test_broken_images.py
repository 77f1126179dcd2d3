"""A folder of which 2 % are broken: training ends, and the report counts them exactly."""

import json
import pickle
from io import BytesIO

import mmvitkd  # noqa: F401

import numpy as np
import pytest
import torch
from image_folders import write_folder
from PIL import Image

TRAIN, VAL = 250, 100
CONFIG = """
_base_ = '{root}/configs/mnist5k/vit_32.py'
custom_hooks = [dict(type='mmvitkd.StudentEMAHook', momentum=0.3, gamma=1)]
data_root = '{data}'
train_dataloader = dict(batch_size=25)
train_cfg = dict(max_epochs=3, val_interval=1)
default_hooks = dict(logger=dict(interval=2))
param_scheduler = []
"""


def truncated(path):
    return path.read_bytes()[:-40]


def truncated_jpeg(path):
    buffer = BytesIO()
    Image.open(path).save(buffer, 'JPEG')
    return buffer.getvalue()[: len(buffer.getvalue()) - 60]


def empty(path):
    return b''


def text(path):
    return b'<html>Not found</html>'


def noise(path):
    return np.random.default_rng(0).bytes(600)


@pytest.fixture(scope='module')
def broken(tmp_path_factory):
    """A folder of digits, and the paths that were broken in training and validation."""
    root = tmp_path_factory.mktemp('digits')
    write_folder(root, 10, TRAIN // 10, VAL // 10, (28, 28), 'png')
    paths = {}
    for split, ways in (
        ('train', (truncated, truncated_jpeg, empty, text, noise)),
        ('val', (truncated, empty)),
    ):
        files = sorted((root / split).rglob('*.png'))
        chosen = files[:: len(files) // len(ways)]
        assert len(chosen) == len(ways) == 0.02 * len(files)
        for path, way in zip(chosen, ways, strict=True):
            path.write_bytes(way(path))
        paths[split] = {str(path) for path in chosen}
    return root, paths


@pytest.fixture
def config(broken, tmp_path, request):
    path = tmp_path / 'config.py'
    path.write_text(CONFIG.format(root=request.config.rootpath, data=broken[0]))
    return path


def check_log(lines, paths, draws):
    """Each path is named once; the draws are counted once, at the end."""
    for split, what in (('train', 'replaced'), ('val', 'counted as wrong')):
        named = [x.split(f'{what}: ')[1] for x in lines if f'Unreadable image, {what}' in x]
        assert len(named) == len(paths[split])
        assert {line.split(': ')[0] for line in named} == paths[split]
    total = [x for x in lines if 'unreadable training images were replaced' in x]
    assert len(total) == 1
    assert f'{len(paths["train"])} unreadable training images' in total[0]
    assert total[0].rstrip().endswith(f'({draws} draws)')


def lines_of(folder):
    """The log of the newest run in a folder."""
    return max(folder.glob('*/*.log')).read_text().splitlines()


def check_validation(folder):
    """Each of three epochs counts exactly; returns the last accuracy."""
    hub = torch.load(folder / 'epoch_3.pth', weights_only=True)['message_hub']
    history = {k: v['log_history'].tolist() for k, v in hub['log_scalars'].items()}
    for name in ('unreadable', 'unreadable_ema'):
        assert history[f'val/accuracy/{name}'] == [2, 2, 2]
    return history['val/accuracy/top1'][-1]


@pytest.mark.parametrize('workers', [0, 2])
def test_trained_and_resumed(run_tool, broken, config, tmp_path, workers):
    paths = broken[1]
    options = [f'{split}_dataloader.num_workers={workers}' for split in ('train', 'val')]
    run_tool('train', config, '--work-dir', tmp_path / 'a', options=options)
    check_log(lines_of(tmp_path / 'a'), paths, draws=3 * len(paths['train']))
    check_validation(tmp_path / 'a')
    start = tmp_path / 'a' / 'epoch_2.pth'
    run_tool('train', config, '--work-dir', tmp_path / 'b', '--resume', start, options=options)
    total = f'{len(paths["train"])} unreadable training images were replaced (15 draws)'
    assert total in '\n'.join(lines_of(tmp_path / 'b'))
    weights = [
        torch.load(tmp_path / name / 'epoch_3.pth', weights_only=True)['state_dict']
        for name in 'ab'
    ]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_trained_by_iterations(run_tool, broken, config, tmp_path):
    paths = broken[1]
    options = [
        'train_cfg._delete_=True',
        'train_cfg.by_epoch=False',
        'train_cfg.max_iters=20',  # twice over the data
        'train_cfg.val_interval=10',
        'default_hooks.checkpoint.by_epoch=False',
        'default_hooks.checkpoint.interval=7',
        'train_dataloader.sampler.type=InfiniteSampler',
        'train_dataloader.num_workers=2',
    ]
    run_tool('train', config, '--work-dir', tmp_path, options=options)
    check_log(lines_of(tmp_path), paths, draws=2 * len(paths['train']))


def measure(run_tool, folder, config, out, *arguments, options=()):
    where = ['--work-dir', folder / 'test', '--out', folder / out, *arguments]
    run_tool('test', config, folder / 'epoch_3.pth', *where, options=options)
    load = json.loads if out.endswith('json') else pickle.loads
    return load((folder / out).read_bytes())


def test_two_processes(run_distributed, run_tool, broken, config, tmp_path):
    """Of 99 images the second process validates the first, a broken one, once more."""
    _, paths = broken
    options = [f'{split}_dataloader.dataset.indices=99' for split in ('val', 'test')]
    arguments = [config, 2, '--work-dir', tmp_path, '--cfg-options', *options]
    log = run_distributed('dist_train.sh', *arguments)
    check_log(log.splitlines(), paths, draws=3 * len(paths['train']))
    accuracy = check_validation(tmp_path)

    predictions = measure(run_tool, tmp_path, config, 'one.pkl', options=options)
    assert len(predictions) == 99
    assert predictions[0]['img_path'] in paths['val']
    right = [
        p['pred_label'].item() == p['gt_label'].item()
        for p in predictions
        if p['img_path'] not in paths['val']
    ]
    assert len(right) == 97
    assert accuracy == pytest.approx(100 * sum(right) / 99)
    only = ['--out-item', 'metrics']
    metrics = measure(run_tool, tmp_path, config, 'one.json', *only, options=options)
    assert metrics == {'accuracy/top1': accuracy, 'accuracy/unreadable': 2}


def test_a_folder_of_nothing_but_broken_images(run_tool, config, tmp_path):
    data = write_folder(tmp_path / 'data', 2, 3, 1, (28, 28), 'png')
    for path in data.glob('train/*/*'):
        path.write_bytes(b'')
    options = [f'data_root={data}', 'num_classes=2', 'train_dataloader.batch_size=2']
    with pytest.raises(
        SystemExit, match=r"train: .*split='train': none of 1001 images.*the file is empty\."
    ):
        run_tool('train', config, '--work-dir', tmp_path, options=options)
