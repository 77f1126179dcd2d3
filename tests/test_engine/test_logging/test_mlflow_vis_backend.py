"""MLflow gets pictures and metrics by names that it takes."""

import re
import sys
from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.engine import MLflowVisBackend

import numpy as np
import pytest
from mmengine.logging import MMLogger

PIXELS = np.zeros((4, 4, 3), np.uint8)


@pytest.fixture
def service(monkeypatch):
    """Stands for the package ``mlflow``, by the rules in its documentation."""
    pictures, metrics = {}, {}

    def log_image(image, artifact_file):
        if '.' not in artifact_file:
            raise TypeError(f'{artifact_file}: unknown extension')  # Pillow's rule
        pictures[artifact_file] = image

    def log_metric(name, value, step):
        if not re.fullmatch(r'[/\w.\- ]+', name):
            raise ValueError(f'Invalid metric name: {name}')
        metrics[name, step] = float(value)

    mlflow = SimpleNamespace(
        log_image=log_image,
        log_metric=log_metric,
        log_metrics=lambda found, step: [log_metric(k, v, step) for k, v in found.items()],
        set_tracking_uri=lambda uri: None,
        get_experiment_by_name=lambda name: name,
        set_experiment=lambda name: None,
        pictures=pictures,
        metrics=metrics,
    )
    # MMEngine's backend opens the file of a handler anew, which one of a terminal has not.
    monkeypatch.setattr(MMLogger.get_current_instance(), 'handlers', [])
    monkeypatch.setitem(sys.modules, 'mlflow', mlflow)
    return mlflow


def test_each_picture_has_its_step_and_an_extension(service, tmp_path):
    backend = MLflowVisBackend(str(tmp_path))
    backend.add_image('sep', PIXELS, step=10)
    backend.add_image('sep', PIXELS, step=20)
    assert sorted(service.pictures) == ['sep_10.png', 'sep_20.png']


def test_letters_that_it_refuses_are_replaced(service, tmp_path):
    backend = MLflowVisBackend(str(tmp_path))
    backend.add_scalars({'sep/pair_0/full_b90': 0.5, 'loss[a:b]': 2}, 3)
    backend.add_scalar('acc@1', 40, step=3)
    assert service.metrics == {
        ('sep/pair_0/full_b90', 3): 0.5,
        ('loss_a_b_', 3): 2.0,
        ('acc_1', 3): 40.0,
    }
