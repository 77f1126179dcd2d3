"""tools/predict.py: a table and a picture, and one line for what is wrong."""

import csv
import os
import sys

import mmvitkd  # noqa: F401
from mmvitkd.models.utils.label_rule import LabelRule

import numpy as np
import pytest
from folders import touch, write_noise
from PIL import Image
from tool_modules import load_tool

SMALL = ['--img-size', '32', '--allow-random', '--workers', '0', '--device', 'cpu']


@pytest.fixture
def classify(tmp_path, monkeypatch, capsys):
    """Run the tool in a folder of images; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    write_noise(tmp_path / 'photos', *(f'{c}/{i}.png' for c in 'ab' for i in range(4)))
    touch(tmp_path, 'photos/broken.png', 'empty/notes.txt')

    def run(*words, images=('photos',), out='out'):
        arguments = ['timm:vit_tiny_patch16_224', *images, '--out', out]
        monkeypatch.setattr(sys, 'argv', ['predict', *arguments, *SMALL, *words])
        load_tool('predict').main()
        return capsys.readouterr()

    return run


def test_a_folder_becomes_a_table_and_a_picture(classify, tmp_path):
    said = classify('--num', '3')
    assert 'out: written, predictions.csv of 8 images' in said.out
    assert 'left out, as it cannot be read: photos/broken.png: the file is empty' in said.out
    assert '9/9' in said.err  # of the progress bar
    with (tmp_path / 'out' / 'predictions.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['image'] for row in rows[:2]] == ['photos/a/0.png', 'photos/a/1.png']
    assert all(0 <= int(r['label']) < 1000 and 0 < float(r['score']) < 1 for r in rows[:8])
    assert rows[8]['unreadable'] == 'the file is empty' and len(rows) == 9
    picture = Image.open(tmp_path / 'out' / 'certainty.png')
    assert picture.width > picture.height > 300


def test_a_name_need_not_be_valid_text(classify, tmp_path):
    good, bad = os.fsdecode(b'caf\xe9.png'), os.fsdecode(b'bad\xe9.png')
    write_noise(tmp_path / 'few', good)
    touch(tmp_path / 'few', bad)
    said = classify(images=('few',))
    assert r'few/bad\udce9.png: the file is empty' in said.out
    table = (tmp_path / 'out' / 'predictions.csv').read_bytes()
    assert b'\nfew/caf\xe9.png,' in table and b'\nfew/bad\xe9.png,' in table
    assert (tmp_path / 'out' / 'certainty.png').exists()


def result(*scores, labels=None):
    """A result of a model with classes a, b, c."""
    scores = np.array(scores)
    best = int(scores.argmax())
    found = dict(path='x.png', label=best, class_name='abc'[best], score=scores[best])
    if labels is not None:
        found |= dict(labels=labels, class_names=['abc'[i] for i in labels])
    return dict(found, scores=scores)


def test_an_image_may_have_several_classes_or_none():
    tool = load_tool('predict')
    found = [result(0.9, 0.2, 0.75, labels=[0, 2]), result(0.1, 0.2, 0.3, labels=[])]
    from mmvitkd.apis.predict import Predictions

    rows = tool.rows_of(Predictions(found, {}))
    assert rows[0] == ['x.png', '0;2', 'a;c', '0.900000;0.750000', '']
    assert rows[1] == ['x.png', '', '', '', '']


@pytest.mark.parametrize(
    ('rule', 'scores', 'wanted'),
    [
        (None, (0.2, 0.7, 0.1), 0.7),
        (LabelRule(0.5, None), (0.9, 0.45, 0.0), 0.05),
        (LabelRule(0.3, None), (0.9, 0.5, 0.0), 0.2),
        (LabelRule(0.3, None), (0.9, 0.31, 0.0), 0.01),  # less certain than 0.5
        (LabelRule(None, 2), (0.2, 0.9, 0.8), 0.6),
        (LabelRule(None, 3), (0.2, 0.9, 0.8), 1.0),  # all have all classes
    ],
)
def test_the_closest_decision_counts(rule, scores, wanted):
    certainty = load_tool('predict').certainty
    assert certainty(result(*scores), rule) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ('words', 'given', 'message'),
    [
        ([], dict(images=['gone']), r"'gone': there is no such"),
        ([], dict(images=['empty']), r"'empty': there is no image"),
        ([], dict(images=['photos/broken.png']), r'broken\.png.* cannot be read'),
        ([], dict(out='photos/a/0.png'), r"--out: 'photos/a/0\.png' is a file"),
        (['--num', '0'], {}, r'--num: found 0, wanted 1'),
        (['--ema'], {}, r'--ema is for a config with a checkpoint'),
    ],
)
def test_what_is_wrong_is_told_in_a_line(classify, tmp_path, words, given, message):
    with pytest.raises(SystemExit, match=rf'^predict: .*{message}'):
        classify(*words, **given)
    assert not (tmp_path / 'out').exists()
