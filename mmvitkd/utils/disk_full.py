"""Name the file and what survives in errors of a full disk, where libraries leave them out."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The disk, the user's quota, or the limit of a file's size (`ulimit -f`).
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_SPACE = 2**16  # bytes: with less left, an error without a number is one of a full disk


@contextmanager
def report_disk_full(path: str | Path | None, survives: str | None = None) -> Iterator[None]:
    """Raise one kind of error when a disk is full, which names what is written.

    torch raises a RuntimeError then, NumPy an OSError without a number.

    Args:
        path: The file or folder that is written. It stands for a hidden temporary file, but
            for no other that the error names. None if it is unknown.
        survives: What is still good, such as ``'epoch_3.pth is complete'``.

    Raises:
        OSError: If there is no space left; ``filename`` is the path.
    """
    try:
        yield
    except Exception as error:
        full = find_disk_full(error, path)
        if full is None or path is None:
            raise
        named = full.filename is not None and not Path(full.filename).name.startswith('.')
        if named and survives is None and full is error:
            raise
        reason = f'{full.strerror}; {survives}' if survives else full.strerror
        name = full.filename if named else str(path)
        raise OSError(full.errno, reason, name) from error


def find_disk_full(error: BaseException, path: str | Path | None = None) -> OSError | None:
    """Return the error of a full disk behind an error, or None if it has another reason.

    Args:
        error: The error; those that it was raised from or while handling are searched, too.
        path: A file or folder on the disk, which is asked if the errors are of a library that
            does not say.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.errno in FULL:
            return found
        found = found.__cause__ or found.__context__
    silent = isinstance(error, RuntimeError) or getattr(error, 'errno', error) is None
    if path is not None and silent and _free_bytes(Path(path)) < NO_SPACE:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return None


def _free_bytes(path: Path) -> int:
    """Return the space left on the disk of a file or folder that may not exist yet."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
