"""MMEngine writes local files whole or not at all."""

import os

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.atomic_backend import AtomicLocalBackend

import pytest
import torch
from mmengine import fileio
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
