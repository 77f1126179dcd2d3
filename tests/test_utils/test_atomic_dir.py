"""A folder is written whole or not at all."""

import os

import mmvitkd  # noqa: F401
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
