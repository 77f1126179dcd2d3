"""The data sets of configs/_base_."""

from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import torch
from folders import write_noise
from mmengine.config import Config
from mmpretrain.registry import DATASETS, MODELS

BASE = Path(__file__).parents[2] / 'configs' / '_base_'


@pytest.mark.parametrize('path', sorted(BASE.rglob('*.py')), ids=lambda path: path.stem)
def test_shortcuts_are_for_the_user(path):
    """Where a config has these keys, the tools write them into all that has to agree."""
    assert not {'data_root', 'num_classes'} & Config.fromfile(path).keys()


def test_a_folder_of_images(tmp_path):
    names = [f'{kind}/{i}.jpg' for kind in ('cat', 'dog') for i in range(4)]
    write_noise(tmp_path / 'train', *names, size=(60, 90, 3))
    write_noise(tmp_path / 'val', *names, size=(90, 60))
    (tmp_path / 'val' / 'cat' / '0.jpg').write_bytes(b'')
    config = Config.fromfile(BASE / 'datasets' / 'image_folder.py')
    for split, sizes in (('train', 8), ('val', 8), ('test', 8)):
        loader = config[f'{split}_dataloader']
        dataset = DATASETS.build(dict(loader.dataset, data_root=str(tmp_path)))
        assert len(dataset) == sizes
        for sample in (dataset[i] for i in range(len(dataset))):
            assert sample['inputs'].shape == (3, 224, 224)
            assert sample['inputs'].dtype == torch.uint8
    preprocessor = MODELS.build(
        dict(dict(type='ClsDataPreprocessor'), **config.data_preprocessor)
    )
    batch = preprocessor(dict(inputs=sample['inputs'][None]))
    assert batch['inputs'].shape == (1, 3, 224, 224)
