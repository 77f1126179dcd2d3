"""A converted data set is written once, and another folder is left alone."""

import mmvitkd  # noqa: F401
from mmvitkd.datasets.converted_folder import write_once

import pytest

FILES = ('train/a/1.txt', 'train/b/2.txt')


def write(folder):
    for file in FILES:
        (folder / file).write_text(file)


def test_it_is_written_once(tmp_path):
    out = tmp_path / 'data'
    assert write_once(out, FILES, write, 'toy')
    assert [(out / file).read_text() for file in FILES] == list(FILES)
    assert not write_once(out, FILES, lambda folder: 1 / 0, 'toy')


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write_once(tmp_path / 'data', FILES, lambda folder: 1 / 0, 'toy')
    assert not list(tmp_path.iterdir())


def test_another_folder_is_refused(tmp_path):
    out = tmp_path / 'data'
    write_once(out, FILES, write, 'toy')
    (out / 'notes').touch()
    (out / FILES[0]).unlink()
    with pytest.raises(FileExistsError, match=r'is not toy: .*1 missing \(such as train/a/1'):
        write_once(out, FILES, write, 'toy')
