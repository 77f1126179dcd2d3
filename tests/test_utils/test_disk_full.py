"""The error of a full disk names what was written and what survives, whoever raised it."""

import errno
import os
import shutil
from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.utils.disk_full import report_disk_full

import pytest


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_it_is_named(number):
    with pytest.raises(OSError, match=r"'/out'$") as found, report_disk_full('/out'):
        raise OSError(number, os.strerror(number))
    assert found.value.errno == number and found.value.filename == '/out'


@pytest.mark.parametrize(
    'error',
    [OSError(errno.ENOSPC, 'full', '/own'), OSError(errno.EPIPE, 'gone'), OSError('words')],
)
def test_other_errors_are_as_they_were(error):
    with pytest.raises(OSError) as found, report_disk_full('/out'):
        raise error
    assert found.value is error


def test_what_survives_follows_the_reason():
    with pytest.raises(OSError) as found, report_disk_full('/out/e2', 'e1 is complete'):
        raise OSError(errno.ENOSPC, 'No space')
    assert str(found.value) == "[Errno 28] No space; e1 is complete: '/out/e2'"


def test_a_temporary_file_is_named_by_the_file_it_is_for():
    with pytest.raises(OSError, match='full') as found, report_disk_full('/out/a.pth'):
        raise OSError(errno.ENOSPC, 'full', '/out/.tmp-00c0ffee.a.pth')
    assert found.value.filename == '/out/a.pth'


def test_an_error_that_torch_raises_while_it_handles_one():
    with pytest.raises(OSError, match=r"No space: '/out'"), report_disk_full('/out'):
        try:
            raise OSError(errno.ENOSPC, 'No space')
        finally:
            raise RuntimeError('unexpected pos 576 vs 534')


@pytest.mark.parametrize('error', [RuntimeError('unexpected pos'), OSError('9 requested')])
def test_the_disk_is_asked_where_a_library_gives_no_reason(tmp_path, monkeypatch, error):
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=0))
    out = tmp_path / 'not yet' / 'there'
    with pytest.raises(OSError) as found, report_disk_full(out):
        raise error
    assert found.value.errno == errno.ENOSPC and found.value.filename == str(out)
