"""The score that training recorded, or a test wrote."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.export.score import given_score, recorded_score

import pytest
import torch
from toy_students import save_training, training


@pytest.fixture
def checkpoint(tmp_path):
    def save(epoch=3):
        save_training(training('plain'), tmp_path / 'c.pth', epoch)
        return torch.load(tmp_path / 'c.pth', weights_only=True)

    return save


def test_the_last_validation_of_the_weights_and_of_the_average(checkpoint):
    cfg = training('plain')
    assert recorded_score(checkpoint(), cfg).metrics == {'accuracy/top1': 41.25}
    assert recorded_score(checkpoint(), cfg, ema=True).metrics == {'accuracy/top1': 31.5}


@pytest.mark.parametrize(
    ('epoch', 'when'), [(2, 'of epoch 2'), (3, 'of epoch 3'), (1, 'before epoch 1')]
)
def test_the_epoch_of_the_validation(checkpoint, epoch, when):
    """Validated after every second epoch and after the last, the third."""
    assert recorded_score(checkpoint(epoch), training('plain')).source == (
        f'the validation {when}'
    )


def test_iterations(checkpoint):
    cfg = training('plain')
    cfg.train_cfg = dict(by_epoch=False, max_iters=20, val_interval=3)
    assert recorded_score(checkpoint(), cfg).source == 'the validation of iteration 9'


@pytest.mark.parametrize('lost', ['message_hub', 'log_scalars', 'values', 'buffers'])
def test_none_where_none_was_recorded(checkpoint, lost):
    content = checkpoint()
    if lost == 'message_hub':
        del content['message_hub']
    elif lost == 'log_scalars':
        content['message_hub']['log_scalars'].clear()
    elif lost == 'buffers':  # MMEngine's objects, for which read_checkpoint puts others
        scalars = content['message_hub']['log_scalars']
        scalars.update(dict.fromkeys(scalars, object()))
    else:
        for name in ('val/accuracy/top1', 'val/accuracy/top1_ema'):
            history = content['message_hub']['log_scalars'][name]
            history['log_history'] = torch.tensor([])
    assert recorded_score(content, training('plain')) is None


def test_a_file_of_metrics(tmp_path):
    """As tests with Accuracy, SingleLabelMetric(average=None) and ConfusionMatrix write it."""
    metrics = {
        'accuracy/top1': 77.5,
        'single-label/recall_classwise': [50, 100.0, 0.0],
        'confusion_matrix/result': [[1, 0], [2, 3]],
    }
    (tmp_path / 'm.json').write_text(json.dumps(metrics))
    found = given_score(tmp_path / 'm.json').metrics
    assert found == {'accuracy/top1': 77.5, 'single-label/recall_classwise (mean of 3)': 50}


@pytest.mark.parametrize(
    'text', ['[1]', '{', '{}', '{"a": "b"}', '{"a": null}', '{"matrix": [[1, 0], [0, 1]]}']
)
def test_a_file_without_numbers(tmp_path, text):
    (tmp_path / 'm.json').write_text(text)
    with pytest.raises(
        ValueError, match=r'--score: .*m\.json.*wanted a JSON object of numbers'
    ):
        given_score(tmp_path / 'm.json')
