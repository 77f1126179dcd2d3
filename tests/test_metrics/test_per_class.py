"""The accuracy of each class, and the confusion matrix, against MMPretrain's."""

import csv
import os

import mmvitkd  # noqa: F401
from mmvitkd.metrics import PerClass
from mmvitkd.utils.errors import KeyedValueError

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.evaluation import ConfusionMatrix, SingleLabelMetric
from mmpretrain.structures import DataSample
from PIL import Image

GENERATOR = torch.Generator().manual_seed(0)
SCORES = torch.rand(60, 4, generator=GENERATOR)
LABELS = torch.randint(3, (60,), generator=GENERATOR)  # none of the fourth class
NAMES = ['ant', 'bee', 'cat, big', 'dog']


def samples(scores=SCORES, labels=LABELS, unreadable=()):
    made = []
    for index, (score, label) in enumerate(zip(scores, labels, strict=True)):
        sample = DataSample().set_gt_label(label).set_pred_score(score)
        sample.set_pred_label(score.argmax())
        if index in unreadable:
            sample.set_field({'a.jpg': 'empty'}, 'unreadable', field_type='metainfo')
        made.append(sample)
    return made


def measure(metric, data_samples, classes=NAMES):
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = dict(classes=classes) if classes else {}
    evaluator.process(data_samples)
    return evaluator.evaluate(len(data_samples))


def table(path):
    with open(path, newline='') as file:
        return list(csv.reader(file))


def test_the_matrix_is_mmpretrains(tmp_path):
    measure(PerClass(tmp_path), samples())
    header, *rows = table(tmp_path / 'confusion_matrix.csv')
    assert header == ['true class', *NAMES] and [row[0] for row in rows] == NAMES
    wanted = ConfusionMatrix.calculate(SCORES, LABELS)
    assert np.array_equal(np.array([row[1:] for row in rows], int), wanted)


def test_the_accuracy_of_a_class_is_its_recall(tmp_path):
    metric = PerClass(tmp_path)
    found = measure(metric, samples())
    ((_, recall, _, support),) = [
        SingleLabelMetric.calculate(SCORES, LABELS, thrs=(None,), average=None)[0]
    ]
    _, *rows = table(tmp_path / 'per_class.csv')
    assert rows == metric.rows
    assert [int(row[1]) for row in rows] == support.tolist()
    assert [float(row[3]) for row in rows[:3]] == pytest.approx(recall[:3].tolist(), abs=0.01)
    assert rows[3] == ['dog', '0', '0', '', '', '']
    assert found == {'per_class/mean_accuracy': pytest.approx(recall[:3].mean().item())}


def test_what_a_class_is_most_often_taken_for(tmp_path):
    scores = torch.eye(4)[[0, 1, 1, 2, 3]]
    metric = PerClass(tmp_path)
    measure(metric, samples(scores, torch.tensor([0, 0, 0, 0, 3])))
    assert metric.rows[0] == ['ant', '4', '1', '25.00', 'bee', '2']
    assert metric.rows[3] == ['dog', '1', '1', '100.00', '', '']


def test_an_unreadable_image_is_wrong(tmp_path):
    scores = torch.eye(4)[[0, 0, 1]]
    metric = PerClass(tmp_path)
    measure(metric, samples(scores, torch.tensor([0, 0, 1]), unreadable=[1]))
    assert metric.rows[0] == ['ant', '2', '1', '50.00', '', '']
    header, row, *_ = table(tmp_path / 'confusion_matrix.csv')
    assert header[-1] == 'unreadable' and row == ['ant', '1', '0', '0', '0', '1']


def test_the_name_of_a_class_need_not_be_valid_text(tmp_path):
    names = [os.fsdecode(b'caf\xe9'), *NAMES[1:]]
    measure(PerClass(tmp_path), samples(), classes=names)
    assert (tmp_path / 'per_class.csv').read_bytes().splitlines()[1].startswith(b'caf\xe9,')
    assert (tmp_path / 'confusion_matrix.png').exists()


@pytest.mark.parametrize('number', [4, 100])
def test_the_picture(tmp_path, number):
    measure(PerClass(tmp_path), samples(torch.rand(60, number)), classes=None)
    with Image.open(tmp_path / 'confusion_matrix.png') as image:
        assert min(image.size) > 500
    assert table(tmp_path / 'per_class.csv')[1][0] == '0'  # numbers where there are no names


def test_several_labels_are_refused(tmp_path):
    sample = DataSample().set_gt_label([0, 1]).set_pred_score(SCORES[0])
    with pytest.raises(KeyedValueError, match='single-label'):
        measure(PerClass(tmp_path), [sample])
