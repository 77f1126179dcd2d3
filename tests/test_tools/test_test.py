"""tools/test.py and dist_test.sh: MMPretrain's options on a student's checkpoint."""

import csv
import json
import os
import pickle
import re

import mmvitkd  # noqa: F401

import numpy as np
import pytest
import torch
from image_folders import write_folder
from mmengine.config import Config
from mmpretrain.registry import MODELS

CONFIG = 'configs/mnist5k/vit_32_lift.py'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp('digits'), 10, 1, 3, (28, 28), 'png')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A checkpoint of the student alone, of random weights."""
    path = tmp_path_factory.mktemp('student') / 'student.pth'
    model = MODELS.build(Config.fromfile(CONFIG).model.architecture)
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


@pytest.fixture
def options(folder):
    return [f'test_dataloader.dataset.data_root={folder}']


def test_out_writes_the_predictions(run_tool, checkpoint, options, tmp_path):
    out = tmp_path / 'predictions.pkl'
    run_tool('test', CONFIG, checkpoint, '--work-dir', tmp_path, '--out', out, options=options)
    predictions = pickle.loads(out.read_bytes())
    assert len(predictions) == 30
    assert predictions[0]['pred_score'].shape == (10,)


def test_hooks_that_need_a_training_are_left_out(run_tool, checkpoint, options, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(
        f'_base_ = {os.path.abspath(CONFIG)!r}\n'
        'custom_hooks = [dict(type="EarlyStoppingHook", monitor="accuracy/top1")]\n'
        'default_hooks = dict(profiler=dict(type="ProfilerHook"))\n'
    )
    run_tool('test', config, checkpoint, '--work-dir', tmp_path, options=options)


def twice(images):
    return dict(type='ConcatDataset', datasets=[images, images])


def fold(images):
    return dict(type='KFoldDataset', fold=1, num_splits=3, test_mode=True, dataset=images)


@pytest.mark.parametrize(('wrapped', 'number'), [(twice, 60), (fold, 10)])
def test_wrapped_data_sets_are_augmented(
    run_tool, checkpoint, folder, tmp_path, wrapped, number
):
    cfg = Config.fromfile(CONFIG)
    loader = cfg.test_dataloader
    loader.dataset = wrapped(dict(loader.dataset, data_root=str(folder)))
    cfg.dump(tmp_path / 'config.py')
    out = tmp_path / 'predictions.pkl'
    run_tool(
        'test',
        tmp_path / 'config.py',
        checkpoint,
        '--work-dir',
        tmp_path,
        '--out',
        out,
        '--tta',
    )
    assert len(pickle.loads(out.read_bytes())) == number


@pytest.mark.parametrize('arguments', [['--tta'], ['--amp'], ['--no-pin-memory']])
def test_options_of_mmpretrain(run_tool, checkpoint, options, tmp_path, arguments):
    out = tmp_path / 'metrics.json'
    where = ['--work-dir', tmp_path, '--out', out, '--out-item', 'metrics']
    run_tool('test', CONFIG, checkpoint, *where, *arguments, options=options)
    assert 0 <= json.loads(out.read_text())['accuracy/top1'] <= 100


def test_metrics_that_are_tables(run_tool, checkpoint, options, tmp_path):
    config, out = tmp_path / 'config.py', tmp_path / 'metrics.json'
    metrics = [
        dict(type='SingleLabelMetric', average=None),
        dict(type='ConfusionMatrix'),
        dict(type='mmvitkd.Accuracy', topk=(1,)),
    ]
    base = os.path.abspath(CONFIG)
    config.write_text(f'_base_ = {base!r}\ntest_evaluator = {metrics}\n')
    where = ['--work-dir', tmp_path, '--out', out]
    run_tool('test', config, checkpoint, *where, options=options)
    found = json.loads(out.read_text())
    matrix = np.array(found['confusion_matrix/result'])
    assert matrix.shape == (10, 10) and matrix.sum() == 30
    assert 100 * matrix.trace() / 30 == pytest.approx(found['accuracy/top1'])
    recall = 100 * matrix.diagonal() / matrix.sum(1)
    assert found['single-label/recall_classwise'] == pytest.approx(recall)


def test_per_class(run_tool, checkpoint, options, folder, tmp_path, capsys):
    out = tmp_path / 'metrics.json'
    where = ['--work-dir', tmp_path, '--out', out, '--per-class']
    run_tool('test', CONFIG, checkpoint, *where, options=options)
    with open(tmp_path / 'per_class.csv') as file:
        rows = list(csv.DictReader(file))
    assert [row['class'] for row in rows] == sorted(os.listdir(folder / 'train'))
    assert all(row['images'] == '3' for row in rows)
    accuracies = [float(row['accuracy']) for row in rows]
    metrics = json.loads(out.read_text())  # equally many images of each class
    assert np.mean(accuracies) == pytest.approx(metrics['accuracy/top1'], abs=0.01)
    assert metrics['per_class/mean_accuracy'] == pytest.approx(metrics['accuracy/top1'])
    assert {'confusion_matrix.csv', 'confusion_matrix.png'} <= set(os.listdir(tmp_path))
    assert 'most often taken for' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--out', 'm.txt'], r'm\.txt: wanted \.pkl, \.pickle for --out-item pred'),
        (['--out', 'm.csv', '--out-item', 'metrics'], r'm\.csv: wanted \.json, \.yaml'),
        (['--out', 'm.json', '--out-item', 'pred'], r'm\.json: wanted \.pkl'),
    ],
)
def test_files_that_cannot_be_written(run_tool, checkpoint, capsys, arguments, message):
    with pytest.raises(SystemExit):
        run_tool('test', CONFIG, checkpoint, *arguments)
    assert re.search(message, capsys.readouterr().err)


def test_show_dir_gets_pictures(run_tool, checkpoint, options, tmp_path):
    pictures = tmp_path / 'pictures'
    show = ['--show-dir', pictures, '--interval', 10]
    run_tool('test', CONFIG, checkpoint, '--work-dir', tmp_path, *show, options=options)
    assert len(list(pictures.rglob('*.png'))) == 3


def test_two_processes_agree_with_one(run_tool, run_distributed, checkpoint, options, tmp_path):
    metrics = []
    for name in ('one', 'two'):
        out = tmp_path / f'{name}.json'
        where = ['--work-dir', tmp_path, '--out', out, '--out-item', 'metrics']
        if name == 'one':
            run_tool('test', CONFIG, checkpoint, *where, options=options)
        else:
            arguments = [CONFIG, checkpoint, 2, *where, '--cfg-options', *options]
            run_distributed('dist_test.sh', *arguments)
        metrics.append(json.loads(out.read_text()))
    assert metrics[0] == metrics[1]


def test_ema_must_be_in_the_file(run_tool, checkpoint, options, tmp_path):
    with pytest.raises(SystemExit, match=r'--ema: .*student\.pth.*holds no EMA weights'):
        run_tool('test', CONFIG, checkpoint, '--work-dir', tmp_path, '--ema', options=options)


def test_weights_of_another_model_are_refused(run_tool, checkpoint, options, tmp_path):
    other = 'configs/mnist5k/vit_32.py'
    with pytest.raises(SystemExit, match=r'(?s)student\.pth.*does not fit.*neck\.proj\.weight'):
        run_tool('test', other, checkpoint, '--work-dir', tmp_path, options=options)
