"""The solar cells: a seeded, stratified split, from a package with tiny pictures."""

import importlib.util
import sys
from pathlib import Path

import mmvitkd  # noqa: F401

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[3] / 'tools' / 'dataset_converters' / 'elpv.py'


@pytest.fixture
def elpv(tmp_path, monkeypatch):
    """The script, with a package of 20 cells: 12 functional, 8 defective."""
    spec = importlib.util.spec_from_file_location('elpv', SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    data = tmp_path / 'site' / 'elpv_dataset' / 'data'
    (data / 'images').mkdir(parents=True)
    (data.parent / '__init__.py').touch()
    lines = []
    for i in range(20):
        probability = (0.0, 1 / 3, 2 / 3, 1.0, 0.0)[i % 5]
        Image.fromarray(np.full((4, 4), i, np.uint8)).save(data / f'images/cell{i:04d}.png')
        lines.append(f'images/cell{i:04d}.png  {probability}   mono\n')
    (data / 'labels.csv').write_text(''.join(lines))
    monkeypatch.setattr(script, 'NUM_CELLS', 20)
    monkeypatch.syspath_prepend(str(tmp_path / 'site'))
    return script


def files(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob('*.png')}


def test_a_fifth_of_each_class_is_held_out(elpv, tmp_path):
    out = elpv.convert(tmp_path / 'elpv')
    counts = {
        f'{split}/{name}': len(files(out / split / name))
        for split in ('train', 'val')
        for name in ('functional', 'defective')
    }
    assert counts == {
        'train/functional': 10,
        'train/defective': 6,
        'val/functional': 2,
        'val/defective': 2,
    }


def test_pictures_are_in_the_folder_of_their_probability(elpv, tmp_path):
    out = elpv.convert(tmp_path / 'elpv')
    for file in out.rglob('*.png'):
        number = int(file.stem.removeprefix('cell'))
        wanted = 'defective' if number % 5 in (2, 3) else 'functional'
        assert file.parent.name == wanted
        assert np.asarray(Image.open(file))[0, 0] == number


def test_the_seed_decides_the_split(elpv, tmp_path):
    first, same, other = (elpv.convert(tmp_path / str(i), i // 2) for i in range(3))
    assert files(first) == files(same) != files(other)


def test_another_folder_is_refused(elpv, tmp_path):
    out = elpv.convert(tmp_path / 'elpv')
    assert elpv.convert(out) == out
    with pytest.raises(FileExistsError, match=r'is not elpv with seed 1: .* missing \(such as'):
        elpv.convert(out, seed=1)


def test_other_pictures_are_refused(elpv, tmp_path, monkeypatch):
    monkeypatch.setattr(elpv, 'NUM_CELLS', 21)
    with pytest.raises(RuntimeError, match=r'labels\.csv: found 20 pictures, wanted 21'):
        elpv.convert(tmp_path / 'elpv')


def test_without_the_package_it_says_what_to_install(elpv, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'path', [])
    monkeypatch.setattr(sys, 'argv', ['elpv', '--out', str(tmp_path / 'elpv')])
    with pytest.raises(SystemExit, match='pip install elpv-dataset'):
        elpv.main()
