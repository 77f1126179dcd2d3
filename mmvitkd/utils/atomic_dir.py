"""Write a folder completely or not at all."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_dir(out: Path, check: Callable[[], None]) -> Iterator[Path]:
    """Yield a temporary folder to write into, which replaces ``out`` at the end.

    Args:
        out: The folder to create or to replace.
        check: Raises if ``out`` must not be written or replaced; called before anything is
            written, and again before an existing folder is replaced.
    """
    check()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}.', dir=out.parent) as work:
        new, old = Path(work, 'new'), Path(work, 'old')
        new.mkdir()
        yield new
        check()
        if out.exists():
            os.rename(out, old)
        try:
            os.rename(new, out)
        except OSError:
            if old.exists():
                os.rename(old, out)
            raise
