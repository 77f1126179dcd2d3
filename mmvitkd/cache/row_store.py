"""Store rows of bytes by number in a folder, with a checksum each."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..utils.atomic_file import sync
from .damaged_cache import DamagedCacheError
from .flush_thread import FlushThread
from .shard_file import Shard, checksum
from .sharding import Sharding

Rows = NDArray[np.integer]

SHARD_BYTES = 2**30
MAX_OPEN = 128  # shards: each takes up to two file descriptors, of which a process has 1024


class RowStore:
    """Read and write rows of a fixed size, in any order, from any number of processes.

    A row is there once it is on the disk and its checksum is marked; until then it counts as
    missing, whatever happens to the process or the machine. Rows are marked in a thread, every
    ``flush_interval`` seconds. A forked process can read; rows that its parent has yet to mark
    stay the parent's.

    Two processes may write different rows at once. If they write the same row, it has to be
    with the same bytes: the row of one may not fit the checksum of the other, which reading
    finds.

    Use :meth:`create` once and :meth:`open` to get one, and close it.

    Args:
        sharding: Which rows are in which file.
        writable: Whether rows can be written.
        flush_interval: Seconds.
    """

    def __init__(self, sharding: Sharding, writable: bool, flush_interval: float) -> None:
        self._sharding, self._writable = sharding, writable
        self._shard = lru_cache(MAX_OPEN)(self._open_shard)
        self._unmarked = FlushThread(self._mark, flush_interval)

    @staticmethod
    def create(
        folder: str | Path, num_rows: int, row_bytes: int, shard_bytes: int = SHARD_BYTES
    ) -> None:
        """Create the files of a store without rows, which take no space yet.

        Files that are there and whole are kept with their rows. Several processes may create
        the same store at once.

        Args:
            folder: The folder; created if it is missing.
            num_rows: The number of rows.
            row_bytes: The bytes of a row.
            shard_bytes: The most bytes of a file. It does not change a store that is there.

        Raises:
            DamagedCacheError: If there are files of another size.
            OSError: If a file cannot be written.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        sharding = Sharding.found(folder, num_rows, row_bytes)
        sharding = sharding or Sharding.planned(folder, num_rows, row_bytes, shard_bytes)
        for shard in sharding.shards():
            shard.create()
        sync(folder)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        num_rows: int,
        row_bytes: int,
        writable: bool,
        flush_interval: float = 10,
    ) -> 'RowStore':
        """Open a store that was created with the same numbers.

        Args:
            folder: The folder.
            num_rows: The number of rows.
            row_bytes: The bytes of a row.
            writable: Whether to write rows; if not, the folder may be read-only.
            flush_interval: Seconds after which written rows are marked.

        Raises:
            DamagedCacheError: If a file is missing or has another size.
            OSError: If a file cannot be opened, as for writing in a read-only folder.
        """
        sharding = Sharding.found(Path(folder), num_rows, row_bytes)
        if sharding is None:
            raise DamagedCacheError(folder, 'no shard-*.safetensors in this folder')
        for shard in sharding.shards():
            shard.check_size()
        store = cls(sharding, writable, flush_interval)
        store._shard(0)
        return store

    @staticmethod
    def repair_files(
        folder: str | Path, num_rows: int, row_bytes: int, shard_bytes: int = SHARD_BYTES
    ) -> list[Path]:
        """Create the files that are missing, and extend those that were truncated.

        All rows that are whole stay; those behind a cut are missing afterwards. No other
        process may have the store open. Files that have their size are not read: see
        :meth:`damaged_rows`.

        Args:
            folder: The folder.
            num_rows: The number of rows.
            row_bytes: The bytes of a row.
            shard_bytes: The most bytes of a file, if there is none that tells.

        Returns:
            The files that were wrong.

        Raises:
            DamagedCacheError: If a file is none of this store.
            OSError: If a file cannot be written.
        """
        sharding = Sharding.found(Path(folder), num_rows, row_bytes)
        sharding = sharding or Sharding.planned(Path(folder), num_rows, row_bytes, shard_bytes)
        repaired = [shard.path for shard in sharding.shards() if shard.repair()]
        sync(Path(folder))
        return repaired

    def has(self, rows: Rows) -> NDArray[np.bool_]:
        """Return which rows are stored.

        Args:
            rows: (B,), the numbers of rows.

        Returns:
            (B,). Rows that were written but are not marked yet count as missing.
        """
        stored = np.zeros(len(rows), bool)
        for number, local, places in self._sharding.split(rows):
            stored[places] = self._shard(number).checksums[local] != 0
        return stored

    def prefetch(self, rows: Rows) -> None:
        """Let the kernel start to read rows from the disk, without waiting for it.

        Args:
            rows: (B,), the numbers of rows.
        """
        for number, local, _ in self._sharding.split(rows):
            self._shard(number).prefetch(local.tolist())

    def read(self, rows: Rows) -> Tensor:
        """Read rows and verify them.

        Args:
            rows: (B,), the numbers of rows, in any order.

        Returns:
            (B, row_bytes), uint8, on the CPU.

        Raises:
            DamagedCacheError: If a row is not stored, or does not fit its checksum; names the
                file and the row.
        """
        buffer, wrong = self._read(rows)
        if wrong.any():
            # Another machine may have written a part that NFS keeps an old copy of, until the
            # file is opened again.
            self._shard.cache_clear()
            buffer, wrong = self._read(rows)
        if wrong.any():
            raise self._damage(np.asarray(rows)[wrong])
        return buffer

    def write(self, rows: Rows, buffer: Tensor) -> None:
        """Write rows; those that are stored already are left alone.

        Args:
            rows: (B,), the numbers of rows.
            buffer: (B, row_bytes), uint8, on the CPU.

        Raises:
            OSError: If the disk is full, or was when rows were to be marked; names the file. No
                row that was marked is harmed, and later rows may be written.
        """
        self._check_writable()
        wanted = (len(rows), self._sharding.row_bytes)
        if tuple(buffer.shape) != wanted or buffer.dtype != torch.uint8:
            found = f'{tuple(buffer.shape)} of {buffer.dtype}'
            raise ValueError(f'found {found}, wanted {wanted} of torch.uint8.')
        self._unmarked.raise_error()
        data = np.ascontiguousarray(buffer.numpy())
        for number, local, places in self._sharding.split(rows):
            shard = self._shard(number)
            new = shard.checksums[local] == 0
            for row, place in zip(local[new].tolist(), places[new].tolist(), strict=True):
                shard.write(row, data[place].data)
                self._unmarked.add(int(rows[place]))

    def flush(self) -> None:
        """Mark all rows that this process has written, and wait for it.

        Raises:
            OSError: If the disk is full; names the file.
        """
        self._unmarked.flush()

    def close(self) -> None:
        """Flush, and close the files.

        Raises:
            OSError: If the disk is full; names the file.
        """
        try:
            self._unmarked.close()
        finally:
            self._shard.cache_clear()

    def forget(self, rows: Rows) -> None:
        """Remove the marks of rows, so that they count as missing and are written again.

        Args:
            rows: (B,), the numbers of rows.
        """
        self._check_writable()
        for number, local, _ in self._sharding.split(rows):
            self._shard(number).forget(local.tolist())

    def damaged_rows(self) -> Iterator[int]:
        """Read all stored rows, and yield those that do not fit their checksums."""
        for number in range(self._sharding.num_shards):
            for local in self._shard(number).damaged():
                yield number * self._sharding.rows_per_shard + local

    def __enter__(self) -> 'RowStore':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open_shard(self, number: int) -> Shard:
        return Shard(self._sharding.shard(number), self._writable)

    def _read(self, rows: Rows) -> tuple[Tensor, NDArray[np.bool_]]:
        """Return rows, and which of them are wrong."""
        buffer = torch.empty(len(rows), self._sharding.row_bytes, dtype=torch.uint8)
        data, wrong = buffer.numpy(), np.zeros(len(rows), bool)
        for number, local, places in self._sharding.split(rows):
            shard = self._shard(number)
            wanted = shard.checksums[local].tolist()
            for row, place, stored in zip(local.tolist(), places.tolist(), wanted, strict=True):
                copy = data[place]
                copy[:] = shard.rows[row]
                wrong[place] = checksum(copy) != stored
        return buffer, wrong

    def _damage(self, rows: Rows) -> DamagedCacheError:
        number, local, places = next(self._sharding.split(rows))
        row, path = int(rows[places[0]]), self._sharding.shard(number).path
        if self._shard(number).checksums[local[0]] == 0:
            found = f'row {row} is not stored'
        else:
            found = f'row {row} does not fit its checksum'
        more = f', nor are {len(rows) - 1} other rows good' if len(rows) > 1 else ''
        return DamagedCacheError(path, found + more, rows.tolist())

    def _mark(self, rows: list[int]) -> None:
        """Mark written rows; a shard that fails does not keep others from it."""
        errors = []
        for number, local, _ in self._sharding.split(np.unique(rows)):
            try:
                self._shard(number).mark(local.tolist())
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _check_writable(self) -> None:
        if not self._writable:
            raise ValueError(f'{self._sharding.folder}: opened for reading only.')
