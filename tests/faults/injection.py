"""Count the file operations of a process below a folder, and break one of them.

An operation is: open a file for writing, write to it, fsync, rename, link, remove, create or
remove a folder. A process that is killed at operation n has done n - 1 of them, and half of the
n-th if that is a write. Nothing else of the process changes.
"""

import builtins
import io
import os
from errno import ENOSPC

KILLED = 137
NEED_SPACE = ('open', 'write', 'mkdir')
FOLDER_OPERATIONS = ('fsync', 'replace', 'rename', 'unlink', 'remove', 'mkdir', 'rmdir', 'link')


class Injection:
    """Patches this process, for good: call it in a child.

    Args:
        folder: Operations elsewhere are left alone.
        at: The number of the operation to break, from 1 on; None breaks none.
        error: The error number to fail with; None kills the process. A disk that is full stays
            so: all later operations that need space fail, too.
    """

    def __init__(self, folder, at=None, error=None):
        self.folder = str(folder)
        self.at, self.error = at, error
        self.done = []  # the operations, as text
        self._fsync = os.fsync
        for name in FOLDER_OPERATIONS:
            setattr(os, name, self._wrapped(name, getattr(os, name)))
        self._open = builtins.open
        builtins.open = io.open = self.open

    def step(self, name, what, half=None):
        """Count an operation; break it if it is the one.

        Writes to a file that follow each other count as one: JSON is written in many pieces.
        """
        operation = f'{name} {what}'
        if name == 'write' and self.done and self.done[-1] == operation:
            if self.is_full:
                self._fail(name, what)
            return
        self.done.append(operation)
        number = len(self.done)
        if self.at is None or number < self.at:
            return
        if self.error is None:
            if half is not None:
                half()
            os._exit(KILLED)
        if number == self.at or (self.error == ENOSPC and name in NEED_SPACE):
            self._fail(name, what)

    def _fail(self, name, what):
        """Raise what the system would: only calls that get a name say it."""
        named = [] if name in ('write', 'fsync') else [what]
        raise OSError(self.error, os.strerror(self.error), *named)

    @property
    def is_full(self):
        """Whether the disk is full by now."""
        return self.error == ENOSPC and len(self.done) >= self.at

    def concerns(self, path):
        return isinstance(path, str | os.PathLike) and str(path).startswith(self.folder)

    def _wrapped(self, name, function):
        def wrapper(path, *args, **kwargs):
            if name == 'fsync':  # of a descriptor; takes seconds on a busy disk
                self.step(name, os.readlink(f'/proc/self/fd/{path}'))
                return None
            if self.concerns(path):
                self.step(name, str(path))
            return function(path, *args, **kwargs)

        return wrapper

    def open(self, file, mode='r', *args, **kwargs):
        """Open a file; one for writing reports what is written."""
        if (mode[0] == 'r' and '+' not in mode) or not self.concerns(file):
            return self._open(file, mode, *args, **kwargs)
        self.step('open', str(file))
        return Reporting(self._open(file, mode, *args, **kwargs), self)


class Reporting:
    """A file that reports its writes to an injection, and is otherwise unchanged."""

    def __init__(self, file, injection):
        self._file, self._injection = file, injection

    def write(self, data):
        def half():
            self._file.write(data[: len(data) // 2])
            self._file.flush()

        self._injection.step('write', str(self._file.name), half)
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *error):
        return self._file.__exit__(*error)

    def __iter__(self):
        return iter(self._file)
