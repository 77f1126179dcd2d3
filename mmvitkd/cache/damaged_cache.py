"""Define the error of a cache whose files are not as they were written."""

from collections.abc import Sequence
from pathlib import Path

REPAIR = 'python tools/cache_teacher.py CONFIG --repair'


class DamagedCacheError(ValueError):
    """A file of a cache is missing, has another size, or holds other bytes than were written.

    Args:
        path: The file.
        found: What is wrong with it.
        rows: The numbers of the rows that cannot be read, if it is about rows.
        fix: What to do.

    Attributes:
        path: The file.
        rows: The numbers of the rows.
    """

    def __init__(
        self,
        path: str | Path,
        found: str,
        rows: Sequence[int] = (),
        fix: str = f'Fix: {REPAIR}',
    ) -> None:
        self.path = Path(path)
        self.rows = tuple(rows)
        super().__init__(f'{path}: {found}. {fix}')
