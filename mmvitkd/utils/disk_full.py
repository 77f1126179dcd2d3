"""A disk that is full is named: Python's own message only says that one is."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def report_disk_full(folder: str | Path | None) -> Iterator[None]:
    """A context that writes to a folder.

    Args:
        folder: Is named in the error, where the error names no file.

    Raises:
        OSError: If there is no room left.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or error.filename is not None or folder is None:
            raise
        raise OSError(error.errno, error.strerror, str(folder)) from error
