"""Write an export's folder whole or not at all, and replace nothing but an export."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..checkpoint.checksums import SUMS
from ..utils.atomic_dir import atomic_dir
from ..utils.disk_full import report_disk_full

# What an export can hold. A folder with anything else in it is not replaced.
CARD = 'README.md'
NAMES = (
    CARD,
    'student.py',
    'student.pth',
    'student.onnx',
    'student.fp16.onnx',
    'student.int8.onnx',
    'student.pt2',
    'timm',
    'hub',
    SUMS,
)
# The first line of a card, which marks a folder as an export.
MARK = '<!-- Written by mmvitkd, export_student.py -->'


def check_target(out: Path, overwrite: bool) -> None:
    """Check that an export may be written to a folder.

    Raises:
        FileExistsError: If it exists, unless it is an export with nothing else in it, and
            ``overwrite`` is set.
    """
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise FileExistsError(f'--out: {str(out)!r} exists; --overwrite replaces an export.')
    if out.is_symlink() or not out.is_dir() or not _has_card(out):
        raise FileExistsError(
            f'--out: {str(out)!r} was not written by export_student.py (its {CARD} does not '
            'say so): it is not replaced.'
        )
    foreign = sorted({p.name for p in out.iterdir()} - {*NAMES})
    if foreign:
        raise FileExistsError(
            f'--out: {str(out)!r} also holds {", ".join(foreign)}, which export_student.py did '
            'not write: it is not replaced.'
        )


def _has_card(folder: Path) -> bool:
    card = folder / CARD
    return card.is_file() and card.read_text(encoding='utf-8').startswith(MARK)


@contextmanager
def new_folder(out: Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield a folder to write an export into; it becomes ``out`` when the context ends.

    Args:
        out: The folder to create.
        overwrite: Whether to replace an existing export, once the new one is complete.

    Raises:
        FileExistsError: See :func:`check_target`.
        OSError: If the disk is full; names ``out``.
    """
    with report_disk_full(out), atomic_dir(out, lambda: check_target(out, overwrite)) as folder:
        yield folder
