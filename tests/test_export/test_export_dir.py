"""A folder that is written whole or not at all."""

import errno
import os
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.export.export_dir import MARK, new_folder

import pytest


def write(out, text='new', **kwargs):
    with new_folder(out, **kwargs) as folder:
        (folder / 'README.md').write_text(f'{MARK}\n{text}')
        (folder / 'timm').mkdir()
        assert folder != out


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_it_appears_when_it_is_complete(tmp_path):
    write(tmp_path / 'deep' / 'student')
    assert names(tmp_path / 'deep') == ['student']
    assert names(tmp_path / 'deep' / 'student') == ['README.md', 'timm']


def test_a_failed_export_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / 'student') as folder:
        (folder / 'student.py').write_text('half')
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_an_export_is_replaced_only_if_asked(tmp_path):
    out = tmp_path / 'student'
    write(out, 'old')
    with pytest.raises(FileExistsError, match=r'student.*exists; --overwrite'):
        write(out)
    write(out, overwrite=True)
    assert 'new' in (out / 'README.md').read_text() and names(tmp_path) == ['student']


def test_a_failure_keeps_the_existing_export(tmp_path, monkeypatch):
    out = tmp_path / 'student'
    write(out, 'old')
    with pytest.raises(ValueError), new_folder(out, overwrite=True):
        raise ValueError
    rename = os.rename
    monkeypatch.setattr('mmvitkd.utils.atomic_dir._exchange', lambda *_: False)

    def fail_once(source, target):
        if Path(source).name == 'new':
            raise OSError('disk full')
        rename(source, target)

    monkeypatch.setattr(os, 'rename', fail_once)
    with pytest.raises(OSError, match='disk full'):
        write(out, overwrite=True)
    assert 'old' in (out / 'README.md').read_text() and names(tmp_path) == ['student']


@pytest.mark.parametrize('kind', ['own project', 'file', 'empty', 'link', 'with a note'])
def test_other_folders_are_never_replaced(tmp_path, kind):
    out = tmp_path / 'student'
    message = 'not written by export_student.py'
    if kind == 'file':
        out.write_text('precious')
    elif kind == 'link':
        write(tmp_path / 'elsewhere')
        out.symlink_to(tmp_path / 'elsewhere')
    elif kind == 'with a note':
        write(out)
        (out / 'notes.txt').write_text('precious')
        message = r'also holds notes\.txt'
    else:
        out.mkdir()
        if kind == 'own project':
            (out / 'README.md').write_text('# Mine')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(FileExistsError, match=message):
        write(out, overwrite=True)
    assert sorted(tmp_path.rglob('*')) == before


def test_a_full_disk_names_the_export(tmp_path):
    out = tmp_path / 'student'
    with pytest.raises(OSError, match='student'), new_folder(out):
        raise OSError(errno.ENOSPC, 'No space left on device')
    assert names(tmp_path) == []
