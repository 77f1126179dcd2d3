"""An unreadable image is wrong for every k and threshold, and is counted."""

import logging

import mmvitkd  # noqa: F401
from mmvitkd.metrics import Accuracy

import pytest
import torch
from logged import logged
from mmengine.evaluator import Evaluator
from mmpretrain.evaluation import Accuracy as Theirs
from mmpretrain.registry import METRICS
from mmpretrain.structures import DataSample

SCORES = torch.tensor(
    [[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.3, 0.6], [0.4, 0.5, 0.1], [0.3, 0.1, 0.6]]
)
LABELS = [0, 1, 2, 0, 2]  # right, right, right, second, right


def samples(unreadable=(), score=True):
    made = []
    for index, (scores, label) in enumerate(zip(SCORES, LABELS, strict=True)):
        path = f'{index}.jpg'
        sample = DataSample(metainfo=dict(img_path=path)).set_gt_label(label)
        sample.set_pred_label(scores.argmax())
        if score:
            sample.set_pred_score(scores)
        if index in unreadable:
            marks = {path: 'empty', 'tried.jpg': 'empty too'}
            sample.set_field(marks, 'unreadable', field_type='metainfo')
        made.append(sample)
    return made


def measure(metric, data_samples, size=5, batch=2):
    evaluator = Evaluator(metric)
    for start in range(0, len(data_samples), batch):
        evaluator.process(data_samples[start : start + batch])
    return evaluator.evaluate(size)


@pytest.fixture
def warnings():
    with logged(logging.WARNING) as lines:
        yield lines


@pytest.mark.parametrize(
    'options', [{}, dict(topk=(1, 2)), dict(thrs=(0.0, 0.55, None)), dict(prefix='p')], ids=str
)
@pytest.mark.parametrize('score', [True, False])
def test_it_equals_mmpretrains_if_all_can_be_read(options, score):
    found = measure(dict(type='mmvitkd.Accuracy', **options), samples(score=score))
    assert found == measure(Theirs(**options), samples(score=score))


def test_an_unreadable_image_counts_as_wrong():
    found = measure(Accuracy(topk=(1, 2, 3), thrs=(0.0, 0.55)), samples({0, 3}))
    wanted = {
        'accuracy/top1_thr-0.00': 60,  # 1, 2 and 4
        'accuracy/top1_thr-0.55': 40,  # 2 and 4
        'accuracy/top2_thr-0.00': 60,  # without the image whose label is the second
        'accuracy/top2_thr-0.55': 40,
        'accuracy/top3_thr-0.00': 60,
        'accuracy/top3_thr-0.55': 40,
        'accuracy/unreadable': 2,
    }
    assert found == pytest.approx(wanted)
    assert next(iter(found)) == 'accuracy/top1_thr-0.00'  # save_best='auto' takes the first


def test_labels_without_scores():
    found = measure(Accuracy(), samples({1}, score=False))
    assert found == pytest.approx({'accuracy/top1': 60, 'accuracy/unreadable': 1})


def test_the_last_class_is_no_unreadable_image():
    """Were the label -1 an index, it would be the last class."""
    found = measure(Accuracy(), samples({2, 4}))
    assert found == pytest.approx({'accuracy/top1': 40, 'accuracy/unreadable': 2})


def test_padding_of_the_last_batch_does_not_count():
    """In several processes MMEngine's sampler repeats the first images."""
    data_samples = samples({0, 4})
    found = measure(Accuracy(), [*data_samples, data_samples[0]], size=5)
    assert found == pytest.approx({'accuracy/top1': 40, 'accuracy/unreadable': 2})


def test_each_is_logged_once_and_counted_each_time(warnings):
    metric = METRICS.build(dict(type='mmvitkd.Accuracy'))
    for _ in range(3):  # epochs, and the EMA's second look
        assert measure(metric, samples({0, 3}))['accuracy/unreadable'] == 2
    assert measure(metric, samples({1}))['accuracy/unreadable'] == 1
    assert 'accuracy/unreadable' not in measure(metric, samples())
    assert warnings == [
        f'WARNING Unreadable image, counted as wrong: {index}.jpg: empty' for index in (0, 3, 1)
    ]
