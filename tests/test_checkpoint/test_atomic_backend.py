"""MMEngine writes local files whole or not at all."""

import os

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.atomic_backend import AtomicLocalBackend

import pytest
import torch
from folders import touch
from mmengine import fileio
from mmengine.fileio import LocalBackend
from mmengine.runner import save_checkpoint


class Interrupted(BaseException):
    """Like a KeyboardInterrupt: no Exception."""


def _interrupt_replace(*args):
    raise Interrupted


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_writes_and_makes_folders(tmp_path):
    path = tmp_path / 'a' / 'b' / 'file'
    AtomicLocalBackend().put(b'new', path)
    assert path.read_bytes() == b'new'
    assert _names(path.parent) == ['file']


def test_a_relative_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    AtomicLocalBackend().put(b'new', 'file')
    assert _names(tmp_path) == ['file']


def test_reads_regular_files_only(tmp_path):
    (tmp_path / 'file').write_bytes(b'content')
    assert fileio.get(str(tmp_path / 'file')) == b'content'
    os.mkfifo(tmp_path / 'fifo')
    with pytest.raises(OSError, match=r'a FIFO.*fifo'):
        fileio.get(tmp_path / 'fifo')


def test_lists_as_mmengine_does(tmp_path):
    touch(tmp_path, 'a/b/1.png', 'a/2.png', '.c/3.png', '4.png', '.5.png')
    for options in (
        dict(),
        dict(recursive=True),
        dict(recursive=True, list_dir=False, suffix='.png'),
        dict(recursive=True, list_file=False),
    ):
        found = AtomicLocalBackend().list_dir_or_file(str(tmp_path), **options)
        wanted = LocalBackend().list_dir_or_file(str(tmp_path), **options)
        assert sorted(found) == sorted(wanted)


def test_a_cycle_of_links_is_listed_once(tmp_path):
    touch(tmp_path, 'a/1.png', 'b/2.png')
    for link in ('a/up', 'b/up'):
        (tmp_path / link).symlink_to(tmp_path, target_is_directory=True)
    found = fileio.list_dir_or_file(str(tmp_path), list_dir=False, recursive=True)
    assert sorted(found) == ['a/1.png', 'b/2.png']


def test_replaces(tmp_path):
    (tmp_path / 'file').write_bytes(b'a longer old one')
    AtomicLocalBackend().put(b'new', str(tmp_path / 'file'))
    assert (tmp_path / 'file').read_bytes() == b'new'
    assert _names(tmp_path) == ['file']


def test_mmengine_saves_checkpoints_through_it(tmp_path, monkeypatch):
    path = tmp_path / 'epoch_1.pth'
    save_checkpoint(dict(epoch=1), str(path))
    monkeypatch.setattr(os, 'replace', _interrupt_replace)
    with pytest.raises(Interrupted):
        save_checkpoint(dict(epoch=2), str(path))
    assert torch.load(path, weights_only=True) == dict(epoch=1)
    assert _names(tmp_path) == ['epoch_1.pth']


@pytest.mark.parametrize(
    'arguments',
    [dict(uri='file'), dict(uri='/a/file'), dict(backend_args=dict(backend='local'))],
    ids=str,
)
def test_it_is_the_backend_of_local_files(arguments):
    assert type(fileio.get_file_backend(**arguments)) is AtomicLocalBackend


def test_remote_files_keep_their_backend():
    assert not isinstance(fileio.get_file_backend('http://a/b'), AtomicLocalBackend)
