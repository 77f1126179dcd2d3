"""Students that were read from a training's checkpoint."""

import mmvitkd  # noqa: F401
from mmvitkd.export.student import read_student

import pytest
from toy_students import label_free, save_training, training


@pytest.fixture
def read(tmp_path):
    """Reads a student of a kind; keywords change its architecture's parts.

    Without labels it has no head.
    """

    def read(kind, ema=False, labels=True, **parts):
        cfg = (training if labels else label_free)(kind)
        model = cfg.model.get('architecture', cfg.model)
        for name, changes in parts.items():
            model[name].update(changes)
        save_training(cfg, tmp_path / 'training.pth')
        return read_student(cfg, str(tmp_path / 'training.pth'), ema)

    return read
