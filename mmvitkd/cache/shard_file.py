"""Keep rows and their checksums in a safetensors file of a fixed size.

The file holds ``crc32``, uint32 (rows), and ``rows``, uint8 (rows, row_bytes). The CRC-32 of a
row is also the mark that it is stored: 0 is a row that is not, and a CRC that is 0 counts as 1.
The checksums come first, so that a truncated file keeps them.
"""

import json
import mmap
import os
import struct
import weakref
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..utils.disk_full import report_disk_full
from .damaged_cache import DamagedCacheError

CRC_BYTES = 4
SURVIVES = 'the rows that are marked as stored are good'


class ShardFormat(NamedTuple):
    """Where a shard lies and how large it is: this determines all of it but the rows.

    Attributes:
        path: The file.
        num_rows: The number of its rows.
        row_bytes: The bytes of a row.
    """

    path: Path
    num_rows: int
    row_bytes: int

    @property
    def header(self) -> bytes:
        """The start of the file, to the byte as the safetensors library writes it."""
        split, end = self.rows_start, self.rows_start + self.num_rows * self.row_bytes
        rows = dict(
            dtype='U8', shape=[self.num_rows, self.row_bytes], data_offsets=[split, end]
        )
        checksums = dict(dtype='U32', shape=[self.num_rows], data_offsets=[0, split])
        text = json.dumps(dict(crc32=checksums, rows=rows), separators=(',', ':')).encode()
        text += b' ' * (-len(text) % 8)
        return struct.pack('<Q', len(text)) + text

    @property
    def rows_start(self) -> int:
        """Where the rows start, in bytes after the header."""
        return CRC_BYTES * self.num_rows

    @property
    def file_bytes(self) -> int:
        """The size of the file."""
        return len(self.header) + self.num_rows * (CRC_BYTES + self.row_bytes)

    def check_size(self) -> None:
        """Check the size of the file, without opening it.

        Raises:
            DamagedCacheError: If there is no such file, or it has another size.
        """
        try:
            self._check_bytes(os.stat(self.path).st_size)
        except FileNotFoundError:
            raise DamagedCacheError(self.path, 'missing') from None

    def create(self) -> None:
        """Create the file with no row stored; keep it if it exists and is whole.

        Several processes may do so at once, as each step has the same result in any of them: a
        file is only ever extended. One that was killed meanwhile left a part of the header,
        which is completed.

        Raises:
            DamagedCacheError: If there is another file, or one that was truncated.
            OSError: If the disk is full, or the folder cannot be written to.
        """
        with self._opened(os.O_RDWR | os.O_CREAT) as fd:
            size = os.fstat(fd).st_size
            if size <= len(self.header) and self._has_header(fd):
                self._extend(fd)
            self._check_bytes(os.fstat(fd).st_size)
            self._check_header(fd)

    def repair(self) -> bool:
        """Create the file if it is missing, extend it if it was truncated, mend its header.

        Of a truncated file, the rows behind the cut are zeros afterwards, and no longer marked.

        Returns:
            Whether anything was wrong.

        Raises:
            DamagedCacheError: If it is the file of another program or cache.
            OSError: If the disk is full, or the folder cannot be written to.
        """
        with self._opened(os.O_RDWR | os.O_CREAT) as fd:
            size, has_header = os.fstat(fd).st_size, self._has_header(fd)
            if size == self.file_bytes and has_header:
                return False
            if size > self.file_bytes or (size < self.file_bytes and not has_header):
                raise DamagedCacheError(
                    self.path,
                    f'{size:,} bytes, wanted {self.file_bytes:,}, and not a truncated shard of '
                    'this cache: move it away before the repair',
                )
            self._extend(fd)
        shard = Shard(self, writable=True)
        shard.forget(list(shard.damaged()))
        return True

    @contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        with report_errors(self.path):
            fd = os.open(self.path, flags, 0o666)
            try:
                yield fd
            finally:
                os.close(fd)

    def _extend(self, fd: int) -> None:
        """Write the header, and the rest as zeros, which take no space yet."""
        write_all(fd, self.header, 0)
        os.ftruncate(fd, self.file_bytes)
        os.fsync(fd)

    def _has_header(self, fd: int) -> bool:
        """Return whether a file starts with the header, or with a part of it and no more."""
        return self.header.startswith(os.pread(fd, len(self.header), 0))

    def _check_bytes(self, found: int) -> None:
        if found != self.file_bytes:
            raise DamagedCacheError(
                self.path, f'{found:,} bytes, wanted {self.file_bytes:,}: truncated or replaced'
            )

    def _check_header(self, fd: int) -> None:
        found = os.pread(fd, len(self.header), 0)
        if found != self.header:
            raise DamagedCacheError(
                self.path, f'the header is {found!r}, wanted {self.header!r}'
            )


class Shard:
    """A shard that is open: rows are read through a memory map, and written by ``pwrite``.

    It is closed when the last reference to it is gone.

    The size is checked before the file is mapped. A file that is truncated later, or a disk or
    server that fails, kills the process with SIGBUS at the next access to what is gone, as with
    any memory map; nothing here truncates one.

    Args:
        shard: Its place and size.
        writable: Whether it is opened for writing, too.

    Attributes:
        path: The file.
        rows: (num_rows, row_bytes), uint8, read-only: what the file holds at any time.
        checksums: (num_rows,), uint32, read-only; 0 where no row is stored.

    Raises:
        DamagedCacheError: If the file is missing, or has another size or header.
        OSError: If it cannot be opened, as for writing in a read-only folder.
    """

    def __init__(self, shard: ShardFormat, writable: bool = False) -> None:
        shard.check_size()
        self.path = shard.path
        self._fd = os.open(shard.path, os.O_RDWR if writable else os.O_RDONLY)
        weakref.finalize(self, os.close, self._fd)
        shard._check_bytes(os.fstat(self._fd).st_size)
        shard._check_header(self._fd)
        self._checksums_start = len(shard.header)
        self._rows_start = self._checksums_start + shard.rows_start
        self._map = mmap.mmap(self._fd, shard.file_bytes, prot=mmap.PROT_READ)
        self.checksums: NDArray[np.uint32] = np.frombuffer(
            self._map, '<u4', shard.num_rows, self._checksums_start
        )
        rows = np.frombuffer(self._map, np.uint8, offset=self._rows_start)
        self.rows: NDArray[np.uint8] = rows.reshape(shard.num_rows, shard.row_bytes)

    def prefetch(self, rows: Iterable[int]) -> None:
        """Ask the kernel to read rows from the disk, without waiting for it."""
        size = self.rows.shape[1]
        for row in rows:
            start = self._rows_start + row * size
            page = start - start % mmap.PAGESIZE
            self._map.madvise(mmap.MADV_WILLNEED, page, start + size - page)

    def write(self, row: int, data: memoryview) -> None:
        """Write a row, which does not mark it.

        Args:
            row: Its number in the shard.
            data: (row_bytes,).
        """
        with report_errors(self.path):
            write_all(self._fd, data, self._rows_start + row * len(data))

    def mark(self, rows: Iterable[int]) -> None:
        """Wait until written rows are on the disk, then store their checksums.

        Checksums are those of what the file holds by then. A loss of power loses marks that the
        kernel has not written yet, which takes it half a minute, but no row that has one.
        """
        with report_errors(self.path):
            os.fdatasync(self._fd)
            for row in rows:
                self._write_checksum(row, checksum(self.rows[row]))

    def forget(self, rows: Iterable[int]) -> None:
        """Remove the marks of rows, and wait until that is on the disk."""
        with report_errors(self.path):
            for row in rows:
                self._write_checksum(row, 0)
            os.fdatasync(self._fd)

    def damaged(self) -> Iterator[int]:
        """Read all rows that are stored, and yield the numbers of those that are damaged."""
        for row in np.flatnonzero(self.checksums).tolist():
            if checksum(self.rows[row]) != self.checksums[row]:
                yield row

    def _write_checksum(self, row: int, value: int) -> None:
        start = self._checksums_start + CRC_BYTES * row
        write_all(self._fd, struct.pack('<I', value), start)


def checksum(row: NDArray[np.uint8]) -> int:
    """Return the CRC-32 of a row, 1 if it is 0."""
    return zlib.crc32(row.data) or 1


def write_all(fd: int, data: bytes | memoryview, start: int) -> None:
    """Write all bytes at a place of a file: one call may write less, as to a full disk."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, start)
        rest, start = rest[written:], start + written


@contextmanager
def report_errors(path: Path) -> Iterator[None]:
    """Name a file in the errors of calls that only know its descriptor."""
    try:
        with report_disk_full(path, SURVIVES):
            yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise
