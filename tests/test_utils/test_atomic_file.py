"""A file is written whole or not at all."""

import errno
import os
import stat

from mmvitkd.utils.atomic_file import atomic_file, remove_leftovers

import pytest


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_it_makes_folders_and_leaves_nothing_else(tmp_path):
    with atomic_file(tmp_path / 'new' / 'table.csv') as temporary:
        assert temporary.suffix == '.csv' and temporary.parent == tmp_path / 'new'
        temporary.write_text('a,b')
    assert (tmp_path / 'new' / 'table.csv').read_text() == 'a,b'
    assert names(tmp_path / 'new') == ['table.csv']


def test_it_replaces_a_file_at_the_end(tmp_path):
    path = tmp_path / 'file'
    path.write_text('old')
    with atomic_file(str(path)) as temporary:
        temporary.write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'


@pytest.mark.parametrize('moment', ['write', 'fsync', 'replace'])
def test_an_interruption_leaves_the_old_file(tmp_path, monkeypatch, moment):
    def interrupt(*_):
        raise KeyboardInterrupt

    path = tmp_path / 'file'
    path.write_text('old')
    if moment != 'write':
        monkeypatch.setattr(os, moment, interrupt)
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as temporary:
        temporary.write_text('half')
        if moment == 'write':
            interrupt()
    assert path.read_text() == 'old' and names(tmp_path) == ['file']


def test_two_writers_of_a_file_do_not_share_a_temporary_one(tmp_path):
    path = tmp_path / 'file'
    with atomic_file(path) as first:
        first.write_text('first')
        with atomic_file(path) as second:
            second.write_text('second')
        assert path.read_text() == 'second'
    assert path.read_text() == 'first' and names(tmp_path) == ['file']


def test_a_new_file_has_the_mode_of_any_other(tmp_path):
    (tmp_path / 'other').touch()
    with atomic_file(tmp_path / 'file') as temporary:
        temporary.touch()
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ('file', 'other')}
    assert len(modes) == 1


def test_the_folder_is_synced_after_the_file_has_its_name(tmp_path, monkeypatch):
    calls, replace = [], os.replace

    def sync(descriptor):
        calls.append(os.readlink(f'/proc/self/fd/{descriptor}'))

    monkeypatch.setattr(os, 'fsync', sync)
    monkeypatch.setattr(os, 'replace', lambda a, b: calls.append('replace') or replace(a, b))
    with atomic_file(tmp_path / 'file') as temporary:
        temporary.touch()
    assert calls == [str(temporary), 'replace', str(tmp_path)]


def test_a_file_system_that_cannot_sync_is_written_to(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(errno.EINVAL, 'Invalid argument')

    monkeypatch.setattr(os, 'fsync', refuse)
    with atomic_file(tmp_path / 'file') as temporary:
        temporary.touch()
    assert names(tmp_path) == ['file']


def test_a_full_disk_is_reported_with_the_name_of_the_file(tmp_path):
    with pytest.raises(OSError) as found, atomic_file(tmp_path / 'file'):
        raise OSError(errno.ENOSPC, 'full')
    assert found.value.filename == str(tmp_path / 'file')


def test_what_killed_writers_left_can_be_removed(tmp_path):
    with atomic_file(tmp_path / 'epoch_1.pth') as temporary:
        temporary.touch()
    temporary.write_text('half')
    (tmp_path / '.tmp-notes.txt').touch()
    assert remove_leftovers(tmp_path) == [temporary]
    assert names(tmp_path) == ['.tmp-notes.txt', 'epoch_1.pth']
