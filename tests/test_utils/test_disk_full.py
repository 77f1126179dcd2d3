"""The error of a full disk names the folder."""

import errno
import os

import mmvitkd  # noqa: F401
from mmvitkd.utils.disk_full import report_disk_full

import pytest


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EDQUOT])
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
