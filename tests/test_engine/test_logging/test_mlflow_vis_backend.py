"""MLflow gets pictures and metrics by names that it takes, and keeps them in files."""

import mmvitkd  # noqa: F401
from mmvitkd.engine import MLflowVisBackend

import cv2
import mlflow
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@pytest.fixture
def backend(monkeypatch, tmp_path):
    """A backend as a config names it, whose store of files is its own folder."""
    monkeypatch.delenv('MLFLOW_ALLOW_FILE_STORE', raising=False)
    # MMEngine's backend opens the file of a handler anew, which one of a terminal has not.
    monkeypatch.setattr(MMLogger.get_current_instance(), 'handlers', [])
    backend = MLflowVisBackend(str(tmp_path))
    backend.add_config(Config(dict(work_dir=str(tmp_path), model=dict(pairs=[(11, 23)]))))
    yield backend
    backend.close()


def run_in(folder):
    """The only run in a folder."""
    client = mlflow.MlflowClient(folder.as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name('Default').experiment_id])
    return run


def test_each_picture_has_its_step_and_an_extension(backend, tmp_path):
    backend.add_image('sep', PIXELS, step=10)
    backend.add_image('sep', PIXELS + 1, step=20)
    for step, pixels in ((10, PIXELS), (20, PIXELS + 1)):
        (file,) = tmp_path.rglob(f'artifacts/sep_{step}.png')
        assert np.array_equal(cv2.imread(str(file))[..., ::-1], pixels)


def test_letters_that_it_refuses_are_replaced(backend, tmp_path):
    backend.add_scalars({'sep/pair_0/full_b90': 0.5, 'loss[a:b]': 2}, 3)
    backend.add_scalar('acc@1', 40, step=3)
    assert run_in(tmp_path).data.metrics == {
        'sep/pair_0/full_b90': 0.5,
        'loss_a_b_': 2.0,
        'acc_1': 40.0,
    }


def test_settings_are_parameters(backend, tmp_path):
    assert run_in(tmp_path).data.params['model.pairs'] == '[(11, 23)]'
