"""``SHA256SUMS`` of a folder: checked by common tools, and when one of its files is loaded."""

import subprocess

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.checksums import listed_sha256, log_if_changed, write_checksums
from mmvitkd.checkpoint.integrity import DamagedFileError, verify

import pytest
from logged import logged


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'timm').mkdir()
    (tmp_path / 'timm' / 'config.json').write_text('{}')
    (tmp_path / 'student.py').write_text('model = 1\n')
    write_checksums(tmp_path)
    return tmp_path


def test_sha256sum_reads_it(folder):
    command = ['sha256sum', '--strict', '-c', 'SHA256SUMS']
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ['student.py: OK', 'timm/config.json: OK']


@pytest.mark.parametrize('name', ['student.py', 'timm/config.json'])
def test_a_listed_file_is_verified(folder, name):
    assert verify(folder / name) == 'sha256'
    (folder / name).write_text('other')
    with pytest.raises(DamagedFileError, match=r'SHA-256 .*listed in SHA256SUMS'):
        verify(folder / name)


def test_a_file_that_is_not_listed(folder):
    (folder / 'other.py').write_text('a = 1')
    assert listed_sha256(folder / 'other.py') is None
    assert verify(folder / 'other.py') is None


def test_an_edited_config_is_told(folder):
    with logged() as lines:
        log_if_changed(folder / 'student.py')
        assert lines == []
        (folder / 'student.py').write_text('model = 2\n')
        log_if_changed(folder / 'student.py')
    assert len(lines) == 1 and lines[0].startswith('WARNING') and 'student.py' in lines[0]
