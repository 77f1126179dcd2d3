"""Files of features, read by NumPy."""

import json
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.analysis.runner.feature_cache import FeatureBatch
from mmvitkd.analysis.runner.feature_writer import FeatureWriter

import numpy as np
import pytest
import torch


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_they_hold_all_batches(tmp_path, dtype):
    first, second = torch.randn(12, 3, 4).to(dtype), torch.randn(12, 6, 2).to(dtype)
    indices = torch.arange(13)[torch.arange(13) != 2]  # one could not be read
    with FeatureWriter(tmp_path / 'features', [f'{i}.png' for i in range(13)]) as files:
        for part in torch.arange(12).split(5):
            files.put(FeatureBatch({0: first[part], 'neck': second[part]}, indices[part]))
    names = sorted(path.name for path in (tmp_path / 'features').iterdir())
    assert names == ['0.npy', 'images.json', 'neck.npy']
    for name, wanted in (('0', first), ('neck', second)):
        found = np.load(tmp_path / 'features' / f'{name}.npy', allow_pickle=False)
        assert found.shape == wanted.shape
        assert np.array_equal(found, wanted.double().numpy())
        assert found.itemsize == max(4, wanted.itemsize)
    images = json.loads((tmp_path / 'features' / 'images.json').read_text())
    assert images == [f'{i}.png' for i in range(13) if i != 2]


def test_files_are_closed_after_an_error(tmp_path):
    with (
        pytest.raises(KeyboardInterrupt),
        FeatureWriter(tmp_path / 'features', ['0.png']) as files,
    ):
        files.put(FeatureBatch({0: torch.ones(1, 2, 3)}, torch.tensor([0])))
        opened = files._files[0]
        raise KeyboardInterrupt
    assert opened.closed and not (tmp_path / 'features' / 'images.json').exists()


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
def test_the_folder_of_a_full_disk_is_named(tmp_path, monkeypatch):
    batch = FeatureBatch({0: torch.ones(1, 200, 300)}, torch.tensor([0]))
    with FeatureWriter(tmp_path / 'features', ['0.png']) as files:
        with (
            open('/dev/full', 'w+b', buffering=0) as full,
            monkeypatch.context() as patch,
            pytest.raises(OSError, match='No space left') as error,
        ):
            patch.setattr(Path, 'open', lambda path, mode: full)
            files.put(batch)
        files._files.clear()
    assert error.value.filename == str(tmp_path / 'features')
