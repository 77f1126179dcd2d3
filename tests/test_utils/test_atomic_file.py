"""A file is written whole or not at all."""

import os

from mmvitkd.utils.atomic_file import atomic_file

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
