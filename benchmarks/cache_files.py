"""Make the files of a teacher cache for a benchmark, and let the kernel forget them."""

import os
from pathlib import Path

from mmvitkd.cache.row_store import RowStore
from mmvitkd.cache.view_set import ViewSet

import numpy as np


def numbered_views(num_rows: int) -> ViewSet:
    """Return views without a data set: image i has row i, and takes no space until stored."""
    return ViewSet(
        num_images=num_rows,
        views=1,
        repeats=1,
        seed=0,
        data={},
        versions={},
        files=list,
        checksums=lambda views: [''] * len(views),
        planned=lambda: [],  # so that no space is asked for
    )


def repeat_rows(folder: Path, num_rows: int, row_bytes: int, stored: int) -> None:
    """Store copies of a cache's first rows in all others, which costs as much to read.

    Args:
        folder: The folder of the cache, which nothing has open.
        num_rows: The number of rows of the cache.
        row_bytes: The bytes of a row.
        stored: How many are stored; a divisor of their number.
    """
    with RowStore.open(folder, num_rows, row_bytes, writable=True) as store:
        first = store.read(np.arange(stored))
        for start in range(stored, num_rows, stored):
            store.write(np.arange(start, start + stored), first)


def drop_pages(folder: Path) -> None:
    """Let the kernel forget what it holds of a cache's files in memory.

    Pages that are mapped or not yet written stay: close the cache before.
    """
    for path in folder.glob('shard-*'):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)
