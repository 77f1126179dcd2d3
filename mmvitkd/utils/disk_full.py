"""Name the folder in disk-full errors, where Python leaves it out."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def report_disk_full(folder: str | Path | None) -> Iterator[None]:
    """Add the folder that is written to, if a disk-full error names no file.

    Raises:
        OSError: If the disk or the user's quota is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or error.filename is not None or folder is None:
            raise
        raise OSError(error.errno, error.strerror, str(folder)) from error
