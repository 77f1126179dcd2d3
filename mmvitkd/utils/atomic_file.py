"""Write a file completely or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .disk_full import report_disk_full

# A temporary file of 'table.csv' is '.tmp-1f0c62ab.table.csv', with other digits every time.
TEMPORARY = '.tmp-'
DIGITS = 8


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to a file, which replaces the file at the end.

    If the context fails or is interrupted, the file at ``path`` is unchanged and the temporary
    one is removed. Both have the same suffix. Several processes may write the same file: the
    last one wins. A killed process leaves its temporary file; see :func:`remove_leftovers`.

    Args:
        path: The file to write or replace; missing parent folders are created.

    Raises:
        OSError: If the disk is full; names ``path``.
    """
    target = Path(path)
    token = secrets.token_hex(DIGITS // 2)
    temporary = target.with_name(f'{TEMPORARY}{token}.{target.name}')
    try:
        with report_disk_full(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            sync(temporary)
            os.replace(temporary, target)
            sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, would survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the temporary files that killed processes left in a folder, and return them.

    Only for a process that holds the :func:`~mmvitkd.utils.folder_lock.folder_lock` of the
    folder, as another one may be writing.
    """
    matches = folder.glob(f'{TEMPORARY}{"[0-9a-f]" * DIGITS}.*')
    found = sorted(path for path in matches if path.is_file())
    for path in found:
        path.unlink(missing_ok=True)
    return found
