"""Write a folder completely or not at all."""

import ctypes
import errno
import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .atomic_file import TEMPORARY, sync
from .folder_lock import FolderInUseError, folder_lock

# Of linux/fcntl.h and linux/fs.h.
AT_FDCWD, RENAME_EXCHANGE = -100, 2


@contextmanager
def atomic_dir(out: Path, check: Callable[[], None], durable: bool = True) -> Iterator[Path]:
    """Yield a temporary folder to write into, which replaces ``out`` at the end.

    Where the file system can exchange two folders, ``out`` exists at any moment. Elsewhere, as
    on NFS, a process killed between two renames leaves none; the next writer puts it back. It
    also removes what killed writers left.

    Args:
        out: The folder to create or to replace.
        check: Raises if ``out`` must not be written or replaced; called before anything is
            written, and again before an existing folder is replaced.
        durable: Whether to wait until the files would survive a loss of power, which takes
            milliseconds for each.
    """
    _clean_up(out)
    check()
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = tempfile.TemporaryDirectory(
        prefix=TEMPORARY, suffix=f'.{out.name}', dir=out.parent
    )
    with temporary as work, folder_lock(work, f'a writer of {out}'):
        new = Path(work, 'new')
        new.mkdir()
        yield new
        check()
        for path in (*new.rglob('*'), new) if durable else ():
            if not path.is_symlink():
                sync(path)
        _replace(new, out, Path(work, 'old'))
        sync(out.parent)


def _replace(new: Path, out: Path, old: Path) -> None:
    if not out.exists():
        os.rename(new, out)
    elif not _exchange(new, out):
        os.rename(out, old)
        try:
            os.rename(new, out)
        except OSError:
            os.rename(old, out)
            raise


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders at once; return False if the file system cannot."""
    paths = AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other)
    if ctypes.CDLL(None, use_errno=True).renameat2(*paths, RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(number, os.strerror(number), str(other))


def _clean_up(out: Path) -> None:
    """Remove the temporary folders of killed writers; put back a folder that one took away."""
    for work in out.parent.glob(f'{TEMPORARY}????????.{glob.escape(out.name)}'):
        with suppress(FolderInUseError), folder_lock(work, f'a writer of {out}'):
            if (work / 'old').is_dir() and not os.path.lexists(out):
                os.rename(work / 'old', out)
            shutil.rmtree(work)
