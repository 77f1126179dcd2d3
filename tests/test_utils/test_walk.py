"""A folder is walked as os.walk does, and each folder below it once."""

import os

import mmvitkd  # noqa: F401
from mmvitkd.utils.walk import walk_once

import pytest
from folders import touch


def test_without_links_it_is_os_walk(tmp_path):
    touch(tmp_path, 'b/2', 'a/c/1', '3')
    found = list(walk_once(str(tmp_path)))
    assert found == [(parent, sorted(d), sorted(f)) for parent, d, f in found]
    assert sorted(found) == sorted((p, sorted(d), f) for p, d, f in os.walk(tmp_path))


def test_links_are_followed_once(tmp_path):
    root = touch(tmp_path / 'root', 'a/1')
    touch(tmp_path / 'elsewhere', '2')
    for name, to in (
        ('a/up', 'root'),
        ('a/self', 'root/a'),
        ('x', 'elsewhere'),
        ('y', 'elsewhere'),
    ):
        (root / name).symlink_to(tmp_path / to, target_is_directory=True)
    found = [os.path.relpath(parent, root) for parent, _, _ in walk_once(str(root))]
    assert found == ['.', 'a', 'x']


def test_unwanted_names(tmp_path):
    touch(tmp_path, '.a/1', 'b/2', '.3')
    visited = list(walk_once(str(tmp_path), lambda name: not name.startswith('.')))
    assert visited == [(str(tmp_path), ['b'], []), (str(tmp_path / 'b'), [], ['2'])]


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(walk_once(str(tmp_path / 'no')))
