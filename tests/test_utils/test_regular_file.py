"""FIFOs and devices are refused without being opened."""

import os

import mmvitkd  # noqa: F401
from mmvitkd.utils.regular_file import NotRegularFileError, check_regular

import pytest


def test_regular_files_links_to_them_and_folders_pass(tmp_path):
    (tmp_path / 'file').touch()
    (tmp_path / 'link').symlink_to('file')
    for path in (tmp_path / 'file', tmp_path / 'link', tmp_path):
        check_regular(path)


def test_others_are_refused_by_kind(tmp_path):
    os.mkfifo(tmp_path / 'fifo')
    with pytest.raises(NotRegularFileError) as error:
        check_regular(tmp_path / 'fifo')
    assert error.value.strerror == 'a FIFO, wanted a regular file'
    assert error.value.filename == str(tmp_path / 'fifo')
    with pytest.raises(NotRegularFileError, match='a character device'):
        check_regular('/dev/zero')


def test_links_that_lead_nowhere(tmp_path):
    (tmp_path / 'link').symlink_to('link')
    with pytest.raises(OSError, match='symbolic links'):
        check_regular(tmp_path / 'link')
