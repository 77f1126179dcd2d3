"""Exported students, and images."""

import mmvitkd  # noqa: F401
from mmvitkd.export.mmpretrain_files import write_mmpretrain
from mmvitkd.export.student import read_student

import numpy as np
import pytest
from PIL import Image
from toy_students import label_free, save_training, training


@pytest.fixture
def export(tmp_path):
    """Exports a student of a kind; returns the folder and the model of the training.

    Without labels it has no head.
    """

    def export(kind, labels=True, **changes):
        cfg = (training if labels else label_free)(kind)
        cfg.merge_from_dict(changes)
        save_training(cfg, tmp_path / 'training.pth')
        student = read_student(cfg, str(tmp_path / 'training.pth'))
        (tmp_path / 'student').mkdir()
        write_mmpretrain(student, tmp_path / 'student')
        return tmp_path / 'student', student.model

    return export


@pytest.fixture
def pictures(tmp_path):
    """Three images of different sizes, whose colours differ, as arrays in RGB and as files."""
    grids = [np.mgrid[0:h, 0:w] for h, w in ((44, 50), (64, 40), (33, 33))]
    arrays = [np.stack([3 * y, 2 * x + 10, 255 - y - x], -1).astype(np.uint8) for y, x in grids]
    files = [tmp_path / f'{i}.png' for i in range(len(arrays))]
    for array, file in zip(arrays, files, strict=True):
        Image.fromarray(array).save(file)
    return arrays, files
