"""Refuse files that are not regular: a FIFO waits for a writer, a device may never end."""

import errno
import os
import stat
from pathlib import Path

KINDS = {
    stat.S_IFIFO: 'a FIFO',
    stat.S_IFSOCK: 'a socket',
    stat.S_IFCHR: 'a character device',
    stat.S_IFBLK: 'a block device',
}


class NotRegularFileError(OSError):
    """Raised instead of opening something that is not a regular file."""


def check_regular(path: str | Path) -> None:
    """Check, without opening it, that a path is a regular file or a link to one.

    A folder passes, as opening it fails at once.

    Raises:
        NotRegularFileError: If it is a FIFO, a socket or a device.
        OSError: If there is no such file, or links to it form a cycle.
    """
    kind = KINDS.get(stat.S_IFMT(os.stat(path).st_mode))
    if kind is not None:
        raise NotRegularFileError(errno.EINVAL, f'{kind}, wanted a regular file', str(path))
