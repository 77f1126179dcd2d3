"""Find the newest whole checkpoint that a training can continue from."""

import logging
from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
from mmengine.logging import print_log

from .integrity import DamagedFileError, verify

LAST = 'last_checkpoint'
# What a training needs besides its weights.
PARTS = ('meta', 'message_hub', 'optimizer')


class Position(NamedTuple):
    """Where in its training a checkpoint was written; later ones compare as larger."""

    epoch: int
    iteration: int


def newest_checkpoint(work_dir: str | Path) -> Path | None:
    """Return the newest checkpoint of a work dir that is whole; warn about newer ones.

    Files are compared by the epoch and iteration in them. ``last_checkpoint`` matters only
    where it names a file in another folder, which is then searched as well.

    Args:
        work_dir: The work dir.

    Returns:
        The file, or None if the folder has no checkpoint.

    Raises:
        ValueError: If it has some, all of them damaged.
    """
    files = sorted(set(_candidates(Path(work_dir))))
    found: dict[Path, Position] = {}
    damaged = []
    for path in files:
        try:
            position = _position(path)
        except Exception as error:  # PyTorch raises all kinds for a damaged file
            damaged.append((path, _reason(error)))
        else:
            if position is not None:
                found[path] = position
    for path in sorted(found, key=lambda path: found[path], reverse=True):
        try:
            verify(path)
        except DamagedFileError as error:
            damaged.append((path, error.reason))
            continue
        _warn(damaged)
        return path
    if damaged:
        names = ', '.join(sorted(path.name for path, _ in damaged))
        raise ValueError(
            f'--resume: none of the checkpoints in {str(work_dir)!r} can be read ({names}): '
            f'{damaged[0][1]}. Or start in another --work-dir.'
        )
    return None


def last_checkpoint(work_dir: Path) -> Path | None:
    """Return the file that ``last_checkpoint`` names, relative to the work dir or not."""
    try:
        name = (work_dir / LAST).read_text(errors='replace').strip()
    except FileNotFoundError:
        return None
    return work_dir / name if name and '\0' not in name else None


def _candidates(work_dir: Path) -> Iterable[Path]:
    """Yield the files that may be checkpoints, in the work dir and where the last one is."""
    last = last_checkpoint(work_dir)
    for folder in {work_dir} if last is None else {work_dir, last.parent}:
        yield from (path for path in folder.glob('*.pth') if path.is_file())


def _position(path: Path) -> Position | None:
    """Return where a checkpoint was written; None for weights that nothing continues from.

    Raises:
        Exception: What PyTorch raises for a file that it cannot read.
    """
    # Tensors are mapped, not read: this takes milliseconds.
    content = torch.load(path, map_location='cpu', weights_only=True, mmap=True)
    if not isinstance(content, dict) or not content.keys() >= set(PARTS):
        return None
    return Position(int(content['meta']['epoch']), int(content['meta']['iter']))


def _reason(error: Exception) -> str:
    if isinstance(error, UnpicklingError):
        return 'it holds pickled objects, as the checkpoints of other trainings do'
    return f'it is damaged ({str(error).splitlines()[0]})'


def _warn(damaged: list[tuple[Path, str]]) -> None:
    for path, reason in damaged:
        print_log(f'{path} is left out: {reason}.', 'current', logging.WARNING)
