"""Scalars, pictures and configs are whole on a full disk, and the error names the file."""

import errno
import json
import resource
from contextlib import contextmanager

import mmvitkd  # noqa: F401
from mmvitkd.engine import LocalVisBackend

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.visualization import Visualizer

ROOM = 2**16


@pytest.fixture
def backend(tmp_path):
    visualizer = Visualizer(
        name=str(tmp_path), vis_backends=[dict(type='LocalVisBackend')], save_dir=str(tmp_path)
    )
    return visualizer.get_backend('LocalVisBackend')


@contextmanager
def files_of_at_most(size):
    """Have the system refuse larger files, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def refused(path):
    """Expect the error of a full disk, with the name of the file."""
    with pytest.raises(OSError) as found, files_of_at_most(ROOM):
        yield
    assert found.value.errno == errno.EFBIG and found.value.filename == str(path)


def test_configs_that_name_mmengines_get_ours(backend):
    assert isinstance(backend, LocalVisBackend)


def test_a_line_of_scalars_is_whole_or_not_there(backend, tmp_path):
    path = tmp_path / 'vis_data' / 'scalars.json'
    backend.add_scalars(dict(text='x' * (ROOM - 70)), step=1)
    with refused(path):
        backend.add_scalars(dict(text='y' * 70), step=2)
    backend.add_scalars(dict(loss=0.5), step=3)
    steps = [json.loads(line)['step'] for line in path.read_text().splitlines()]
    assert steps == [1, 3]


def test_a_picture_is_whole_or_as_it_was(backend, tmp_path):
    folder = tmp_path / 'vis_data' / 'vis_image'
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    backend.add_image('sep', noise[:10], step=4)
    with refused(folder / 'sep_4.png'):
        backend.add_image('sep', noise, step=4)
    found = cv2.cvtColor(cv2.imread(str(folder / 'sep_4.png')), cv2.COLOR_BGR2RGB)
    assert np.array_equal(found, noise[:10])
    assert [path.name for path in folder.iterdir()] == ['sep_4.png']


def test_a_config_is_whole_or_as_it_was(backend, tmp_path):
    path = tmp_path / 'vis_data' / 'config.py'
    backend.add_config(Config(dict(a=1)))
    with refused(path):
        backend.add_config(Config(dict(a='x' * ROOM)))
    assert Config.fromfile(path).a == 1
