"""tools/analysis_tools/training_dynamics.py: a report of all checkpoints of a training."""

import csv
import json
import sys
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.apis.load_model import load_model

import pytest
import torch
import toy_students
from folders import touch, write_noise
from tool_modules import load_tool


@pytest.fixture
def training(tmp_path):
    """Three checkpoints of a plain student, and images."""
    cfg = toy_students.training('plain')
    path = tmp_path / 'plain.py'
    path.write_text('\n'.join(f'{k} = {v!r}' for k, v in cfg.to_dict().items()))
    (tmp_path / 'work').mkdir()
    for epoch in (30, 60, 9):
        torch.manual_seed(epoch)
        toy_students.save_training(cfg, tmp_path / 'work' / f'epoch_{epoch}.pth')
    (tmp_path / 'work' / 'best_accuracy_top1_epoch_5.pth').touch()
    (tmp_path / 'work' / 'iter_7.pth').touch()
    write_noise(tmp_path / 'images', 'a/0.png', 'a/1.png', 'b/2.png', size=(48, 40, 3))
    return path


def rows_of(path):
    with open(path) as file:
        return list(csv.DictReader(file))


@pytest.fixture
def follow(training, monkeypatch):
    monkeypatch.chdir(training.parent)

    def run(*words):
        arguments = [training.name, 'work', '--data-root', 'images', '--out', 'out', *words]
        monkeypatch.setattr(sys, 'argv', ['training_dynamics', *arguments, '--workers', '0'])
        load_tool('analysis_tools/training_dynamics').main()

    return run


def test_every_checkpoint_is_measured(follow, capsys):
    follow()
    report = json.loads(Path('out/report.json').read_text())
    assert list(report['checkpoints'].values()) == [
        'epoch_9.pth',
        'epoch_30.pth',
        'epoch_60.pth',
    ]
    rows = rows_of('out/tables/dynamics.csv')
    assert [row['epoch'] for row in rows if row['block'] == '0'] == ['9', '30', '60']
    assert {*rows[0]} == {'epoch', 'block', 'entropy, bits', 'intensity', 'activation'}
    assert Path('out/figures/dynamics.png').stat().st_size > 0
    text = Path('out/report.md').read_text()
    assert '| 60 |' in text and 'figures/dynamics.png' in text
    assert 'wrote report.md' in capsys.readouterr().out


def test_a_number_is_that_of_the_checkpoints_weights(follow, training):
    follow('--measures', 'magnitude')
    rows = rows_of('out/tables/dynamics.csv')
    loaded = load_model(str(training), 'work/epoch_30.pth')
    paths = [f'images/{name}' for name in ('a/0.png', 'a/1.png', 'b/2.png')]
    images = torch.stack([loaded.preprocess(path) for path in paths])
    found = {}
    loaded.model.backbone.layers[0].register_forward_hook(
        lambda module, inputs, output: found.update(tokens=output[:, 1:])
    )
    with torch.no_grad():
        loaded.model(images)
    (row,) = [row for row in rows if (row['epoch'], row['block']) == ('30', '0')]
    magnitude = found['tokens'].abs().mean().item()
    assert float(row['activation']) == pytest.approx(magnitude, rel=1e-5)


def test_images_that_cannot_be_read_are_named(follow, capsys):
    touch(Path('images'), 'a/1.png')
    follow('--measures', 'magnitude')
    report = json.loads(Path('out/report.json').read_text())
    assert report['num_images'] == 2
    assert report['unreadable'] == {'a/1.png': 'the file is empty'}
    text = Path('out/report.md').read_text()
    assert '3 checkpoints on 2 images' in text and 'could not be read' in text
    printed = capsys.readouterr().out
    assert printed.count('left out, as it cannot be read: a/1.png: the file is empty') == 1


def test_a_folder_without_checkpoints_says_how_to_keep_them(follow, capsys):
    for path in Path('work').glob('epoch_*.pth'):
        path.unlink()
    with pytest.raises(SystemExit) as stopped:
        follow()
    assert 'keep_every=30' in str(stopped.value) + capsys.readouterr().err


def test_a_name_that_only_ends_like_a_checkpoint_is_none(tmp_path):
    for name in ('epoch_30.pth', 'student_epoch_90.pth', 'epoch_60.pth.tmp'):
        (tmp_path / name).touch()
    found = load_tool('analysis_tools/training_dynamics').checkpoints_of(tmp_path)
    assert found == {30: tmp_path / 'epoch_30.pth'}


def test_an_error_of_the_images_names_the_option(follow, capsys):
    write_noise(Path('flat'), '0.png', '1.png')
    with pytest.raises(SystemExit) as stopped:
        follow('--images', 'dd', '--data-root', 'flat')
    assert "--images=dd: 'flat'" in str(stopped.value) + capsys.readouterr().err
