"""The metrics of a training, from its checkpoint."""

import mmvitkd  # noqa: F401
from mmvitkd.experiments.metrics import read_metrics

import pytest
import torch
from mmengine.config import Config

CONFIG = Config(dict(train_cfg=dict(by_epoch=True, max_epochs=2)))


@pytest.fixture
def checkpoint(tmp_path):
    def write(**scores):
        scalars = {
            f'val/accuracy/{name}': dict(log_history=torch.tensor([50.0, score]))
            for name, score in scores.items()
        }
        path = tmp_path / 'epoch_2.pth'
        hub = dict(log_scalars=scalars)
        torch.save(dict(state_dict={}, meta=dict(epoch=2), message_hub=hub), path)
        return str(path)

    return write


def test_the_average_has_its_own_metrics(checkpoint):
    file = checkpoint(top1=70.0, top1_ema=72.5)
    metrics, source = read_metrics(file, CONFIG, 'accuracy/top1_ema')
    assert metrics == {'accuracy/top1': 70.0, 'accuracy/top1_ema': 72.5}
    assert source == 'the validation of epoch 2'


def test_no_metric_is_needed_if_none_is_wanted(checkpoint):
    assert read_metrics(checkpoint(), CONFIG, None) == ({}, 'not validated')


@pytest.mark.parametrize('scores', [{}, {'top5': 9.0}, {'top1': float('nan')}])
def test_a_missing_or_infinite_metric_is_refused(checkpoint, scores):
    with pytest.raises(ValueError, match=r"epoch_2.pth: metric 'accuracy/top1': found"):
        read_metrics(checkpoint(**scores), CONFIG, 'accuracy/top1')
