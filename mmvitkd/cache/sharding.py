"""Divide the rows of a cache among its shards."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .damaged_cache import DamagedCacheError
from .shard_file import CRC_BYTES, ShardFormat

NAME = re.compile(r'shard-\d{5,}-of-(\d{5,})\.safetensors')


class Sharding(NamedTuple):
    """Say which rows are in which shard: all have the same number, but for a shorter last one.

    Attributes:
        folder: The folder of the shards.
        num_rows: The number of rows in all.
        row_bytes: The bytes of a row.
        num_shards: The number of shards.
    """

    folder: Path
    num_rows: int
    row_bytes: int
    num_shards: int

    @classmethod
    def planned(
        cls, folder: Path, num_rows: int, row_bytes: int, shard_bytes: int
    ) -> 'Sharding':
        """Return shards of up to ``shard_bytes``, or of one row if that is larger."""
        most = max(1, shard_bytes // (row_bytes + CRC_BYTES))
        # Rounded twice, so that the count tells the rows of a shard.
        per_shard = -(-num_rows // -(-num_rows // most))
        return cls(folder, num_rows, row_bytes, -(-num_rows // per_shard))

    @classmethod
    def found(cls, folder: Path, num_rows: int, row_bytes: int) -> 'Sharding | None':
        """Return the shards in a folder, some of which may be missing; None without any.

        Raises:
            DamagedCacheError: If there are shards of two caches.
        """
        names = [path.name for path in sorted(folder.glob('shard-*'))]
        counts = {int(match[1]): name for name in names if (match := NAME.fullmatch(name))}
        if len(counts) > 1:
            wrong = ' and '.join(list(counts.values())[:2])
            raise DamagedCacheError(folder, f'shards of two caches, such as {wrong}')
        return cls(folder, num_rows, row_bytes, *counts) if counts else None

    @property
    def rows_per_shard(self) -> int:
        """The number of rows in a shard."""
        return -(-self.num_rows // self.num_shards)

    def shard(self, number: int) -> ShardFormat:
        """Return the place and the size of a shard."""
        name = f'shard-{number:05}-of-{self.num_shards:05}.safetensors'
        start = number * self.rows_per_shard
        rows = min(self.rows_per_shard, self.num_rows - start)
        return ShardFormat(self.folder / name, rows, self.row_bytes)

    def shards(self) -> Iterator[ShardFormat]:
        """Yield the place and the size of each shard."""
        return map(self.shard, range(self.num_shards))

    def split(
        self, rows: NDArray[np.integer]
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Group rows by their shards.

        Args:
            rows: (B,), the numbers of rows.

        Yields:
            The number of a shard, the numbers of the rows in it, and their places in ``rows``.

        Raises:
            IndexError: If there is no such row.
        """
        rows = np.asarray(rows, np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= self.num_rows):
            raise IndexError(
                f'found rows {rows.min()} to {rows.max()}, but {self.folder} has rows 0 to '
                f'{self.num_rows - 1}.'
            )
        shards, local = np.divmod(rows, self.rows_per_shard)
        for number in np.unique(shards).tolist():
            places = np.flatnonzero(shards == number)
            yield number, local[places], places
