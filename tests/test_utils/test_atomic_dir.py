"""A folder is written whole or not at all."""

import os

import mmvitkd  # noqa: F401
from mmvitkd.utils import atomic_dir as module
from mmvitkd.utils.atomic_dir import atomic_dir

import pytest


def allowed():
    """A check that allows everything."""


def test_what_was_there_is_replaced(tmp_path):
    out = tmp_path / 'deeper' / 'out'
    for text in ('first', 'second'):
        with atomic_dir(out, allowed) as folder:
            (folder / text).touch()
            assert folder != out
    assert os.listdir(out) == ['second']
    assert os.listdir(out.parent) == ['out']


def test_what_was_there_stays_if_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'old').touch()
    rename = os.rename
    monkeypatch.setattr(module, '_exchange', lambda *_: False)  # as on NFS

    def refuses(source, target):
        if os.path.basename(source) == 'new':
            raise OSError('no space left')
        rename(source, target)

    monkeypatch.setattr(os, 'rename', refuses)
    with pytest.raises(OSError, match='no space left'), atomic_dir(out, allowed):
        pass
    assert os.listdir(tmp_path) == ['out'] and os.listdir(out) == ['old']


def test_what_appeared_meanwhile_is_not_replaced(tmp_path):
    out = tmp_path / 'out'

    def check():
        if out.exists():
            raise FileExistsError(out)

    with pytest.raises(FileExistsError), atomic_dir(out, check):
        out.mkdir()
        (out / 'theirs').touch()
    assert os.listdir(out) == ['theirs']


@pytest.fixture
def out(tmp_path):
    """A folder that was written before."""
    with atomic_dir(tmp_path / 'out', allowed) as folder:
        (folder / 'first').touch()
    return tmp_path / 'out'


@pytest.mark.parametrize('killed', ['out', 'new'])
def test_a_writer_killed_between_two_renames_loses_nothing(out, tmp_path, monkeypatch, killed):
    monkeypatch.setattr(module, '_exchange', lambda *_: False)  # as on NFS
    rename = os.rename

    def kill(source, target):
        if os.path.basename(source) == killed:
            os._exit(0)
        rename(source, target)

    if not (child := os.fork()):
        os.rename = kill
        with atomic_dir(out, allowed) as folder:
            (folder / 'second').touch()
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(os.listdir(tmp_path)) == (2 if killed == 'out' else 1)  # with its temporary one

    def check():
        assert os.listdir(out) == ['first']

    with atomic_dir(out, check) as folder:
        (folder / 'third').touch()
    assert os.listdir(out) == ['third'] and os.listdir(tmp_path) == ['out']


def test_the_folder_is_there_at_any_moment(out, monkeypatch):
    monkeypatch.delattr(os, 'rename')
    with atomic_dir(out, allowed) as folder:
        (folder / 'second').touch()
    assert os.listdir(out) == ['second'] and os.listdir(out.parent) == ['out']


def test_the_temporary_folder_of_another_writer_stays(out):
    with atomic_dir(out, allowed) as slow:
        with atomic_dir(out, allowed) as quick:
            (quick / 'quick').touch()
        assert os.listdir(out) == ['quick']
        (slow / 'slow').touch()
    assert os.listdir(out) == ['slow']


def test_all_is_synced_before_it_takes_its_place(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(module, 'sync', lambda path: synced.append(path.name))
    with atomic_dir(tmp_path / 'out', allowed) as folder:
        (folder / 'deeper').mkdir()
        (folder / 'deeper' / 'file').touch()
    assert sorted(synced[:-1]) == ['deeper', 'file', 'new']
    assert synced[-1] == tmp_path.name


def test_files_that_can_be_made_again_need_no_sync(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(module, 'sync', lambda path: synced.append(path.name))
    with atomic_dir(tmp_path / 'out', allowed, durable=False) as folder:
        (folder / 'file').touch()
    assert synced == [tmp_path.name]
