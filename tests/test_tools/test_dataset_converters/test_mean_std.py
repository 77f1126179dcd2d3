"""tools/dataset_converters/mean_std.py prints what a config takes."""

import sys

import mmvitkd  # noqa: F401
from mmvitkd.datasets.folder_layout import find_files

import numpy as np
import pytest
from folders import write_noise
from mmengine.config import Config
from PIL import Image
from tool_modules import load_tool


@pytest.fixture
def measure(monkeypatch, capsys):
    def measure(*args):
        monkeypatch.setattr(sys, 'argv', ['mean_std', *map(str, args)])
        load_tool('dataset_converters/mean_std').main()
        return capsys.readouterr().out

    return measure


def test_it_measures_the_training_split(measure, tmp_path):
    names = [f'{kind}/{i}.png' for kind in ('cat', 'dog') for i in range(5)]
    write_noise(tmp_path, *names)
    found = find_files(str(tmp_path), 'train', 0.4, 3).files.values()
    images = [Image.open(tmp_path / path) for paths in found for path in paths]
    pixels = np.concatenate([np.array(image, float).reshape(-1, 3) for image in images])
    assert len(images) == 6
    lines = measure(tmp_path, '--val-share', 0.4, '--split-seed', 3)
    assert lines.startswith('# Measured on 6 images')
    measured = Config.fromstring(lines, '.py').data_preprocessor
    assert measured.mean == pytest.approx(pixels.mean(0), abs=6e-4)
    assert measured.std == pytest.approx(pixels.std(0), abs=6e-4)
    assert measure(tmp_path, '--num-images', 2).startswith('# Measured on 2 images')


def test_images_without_labels(measure, tmp_path):
    write_noise(tmp_path, *(f'{i}.png' for i in range(10)))
    assert measure(tmp_path, '--no-labels').startswith('# Measured on 9 images')


def test_a_folder_that_is_not_there(measure, tmp_path):
    with pytest.raises(SystemExit, match=f"^mean_std: data_root='{tmp_path}/no'.*no such"):
        measure(tmp_path / 'no')
