"""Let one process at a time write to a folder, and name it to the others."""

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

from .disk_full import report_disk_full

LOCK = '.mmvitkd.lock'
# What file systems without locks answer, such as Lustre mounted without `flock`.
UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)

_held: set[TextIO] = set()


class FolderInUseError(OSError):
    """Another process writes to the folder.

    Args:
        message: The text.
        holder: What the other process wrote about itself: ``user``, ``host``, ``pid``, ...
    """

    def __init__(self, message: str, holder: dict[str, object]) -> None:
        super().__init__(message)
        self.holder = holder


@contextmanager
def folder_lock(folder: str | Path, user: str) -> Iterator[None]:
    """Hold the lock of a folder, which ends with this process, however that ends.

    The kernel releases the lock (``flock``), also that of another machine on NFS. Processes
    forked from this one do not keep it. On a file system without locks, the file says who
    writes: it counts as gone if it was on this machine and has ended.

    Args:
        folder: The folder; created if it is missing.
        user: What this process is, for the message: ``'a training'``.

    Raises:
        FolderInUseError: If another process, or this one, holds the lock; names the host, the
            process and since when.
        OSError: If the folder cannot be written to.
    """
    path = Path(folder, LOCK)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _open_locked(path)
    _held.add(file)
    try:
        with report_disk_full(path):
            _write_holder(file, user)
        yield
    finally:
        _held.discard(file)
        if not file.closed:  # it is in a forked process
            if _is_open_at(file, path):
                path.unlink()
            file.close()


def holder_of(folder: str | Path) -> dict[str, object]:
    """Return what the holder of a folder's lock wrote about itself; nothing without one."""
    with suppress(FileNotFoundError), open(Path(folder, LOCK)) as file:
        return _read_holder(file)
    return {}


def _open_locked(path: Path) -> TextIO:
    while True:
        with ExitStack() as stack:
            file = stack.enter_context(open(path, 'a+'))
            _lock(file, path)
            if _is_open_at(file, path):  # or its last holder removed it meanwhile
                stack.pop_all()
                return file


def _lock(file: TextIO, path: Path) -> None:
    hint = ''
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _read_holder(file)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        holder = _read_holder(file)
        if not _may_run(holder):
            return
        hint = f' If it has ended, remove {path}.'
    else:
        return
    raise FolderInUseError(_message(path.parent, holder) + hint, holder)


def _is_open_at(file: TextIO, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def _write_holder(file: TextIO, user: str) -> None:
    holder = dict(
        user=user,
        host=socket.gethostname(),
        pid=os.getpid(),
        since=datetime.now().astimezone().isoformat(' ', 'seconds'),
        started=_started(os.getpid()),
    )
    os.ftruncate(file.fileno(), 0)
    os.write(file.fileno(), json.dumps(holder).encode())
    os.fsync(file.fileno())  # for other machines, on NFS


def _read_holder(file: TextIO) -> dict[str, object]:
    """Return what the holder wrote; nothing if it has not yet."""
    file.seek(0)
    try:
        return dict(json.loads(file.read()))
    except (TypeError, ValueError):
        return {}


def _message(folder: Path, holder: dict[str, object]) -> str:
    user = holder.get('user', 'another process')
    known = {'host': 'host', 'process': 'pid', 'since': 'since'}
    facts = [f'{name} {holder[key]}' for name, key in known.items() if key in holder]
    details = f' ({", ".join(facts)})' if facts else ''
    return f'{folder} is in use by {user}{details}: wait for it to end, or use another folder.'


def _may_run(holder: dict[str, object]) -> bool:
    """Return whether a holder may still run: on another machine, or here as far as we see."""
    if not holder:
        return False
    if holder['host'] != socket.gethostname() or not isinstance(holder['pid'], int):
        return True
    return _started(holder['pid']) == holder['started'] is not None


def _started(pid: int) -> str | None:
    """Return when a process started, which tells it from a later one; None if it has ended."""
    try:
        stat = Path(f'/proc/{pid}/stat').read_text()
        boot = Path('/proc/sys/kernel/random/boot_id').read_text().strip()
    except OSError:
        return None
    state, *fields = stat.rpartition(')')[2].split()
    return None if state in 'ZX' else f'{boot}, tick {fields[18]}'


def _close_in_child() -> None:
    """Close the copies that a fork makes, which would keep the locks."""
    while _held:
        _held.pop().close()


os.register_at_fork(after_in_child=_close_in_child)
