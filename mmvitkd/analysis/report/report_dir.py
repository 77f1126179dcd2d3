"""Write the folder of a report completely or not at all; replace only a report."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...utils.atomic_dir import atomic_dir
from ...utils.disk_full import report_disk_full

REPORT = 'report.json'


def check_out(out: Path, overwrite: bool) -> None:
    """Check that a report may be written to a folder.

    Raises:
        FileExistsError: If it exists and is not empty, unless ``overwrite`` is set and it
            holds only a report and the files that the report names.
    """
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not out.is_dir():
        raise FileExistsError(f'--out: {str(out)!r} is not a folder.')
    found = set(_files(out))
    if not found:
        return
    own = _own_files(out)
    if not own:
        raise FileExistsError(
            f'--out: {str(out)!r} holds other files and no report: wanted a new folder.'
        )
    if not overwrite:
        raise FileExistsError(f'--out: {str(out)!r} has a report; --overwrite replaces it.')
    foreign = sorted(found - own)
    if foreign:
        raise FileExistsError(
            f'--out: {str(out)!r} is not replaced: it also holds {", ".join(foreign)}, which '
            'the report does not name.'
        )


@contextmanager
def new_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a folder to write a report into; it becomes ``out`` if there is no error.

    Args:
        out: The final folder.
        overwrite: Whether an existing report is replaced, once the new one is complete.

    Raises:
        FileExistsError: See :func:`check_out`.
        OSError: If the disk is full; names ``out``.
    """
    with report_disk_full(out), atomic_dir(out, lambda: check_out(out, overwrite)) as folder:
        yield folder


def write_report_file(report: dict[str, Any], folder: Path) -> None:
    """Write report.json, the last file of the folder, with the names of all files.

    Raises:
        ValueError: If a number in it is not finite.
    """
    files = sorted([*_files(folder), REPORT])
    text = json.dumps({**report, 'files': files}, indent=1, allow_nan=False) + '\n'
    (folder / REPORT).write_text(text, encoding='utf-8')


def files_text(folder: Path) -> str:
    """Say which files were written into the folder of a report."""
    parts = [f'report.md (read it first), {REPORT}']
    for kind, pattern in (('table', 'tables/*.csv'), ('figure', 'figures/*.png')):
        count = len([*folder.glob(pattern)])
        if count:
            parts.append(f'{count} {kind}{"s"[: count != 1]}')
    return ', '.join(parts)


def _files(folder: Path) -> list[str]:
    """Return the files below a folder, relative to it."""
    return [p.relative_to(folder).as_posix() for p in folder.rglob('*') if not p.is_dir()]


def _own_files(folder: Path) -> set[str]:
    """Return the files that the report in a folder names; none without a report."""
    try:
        return set(json.loads((folder / REPORT).read_text(encoding='utf-8'))['files'])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
