"""Find the newest whole checkpoint that a training can continue from."""

import logging
import os
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


def newest_checkpoint(work_dir: Path, *others: Path) -> Path | None:
    """Return the newest whole checkpoint of a work dir; warn about damaged ones.

    That is the file that ``last_checkpoint`` names. If it is lost or damaged, the files are
    compared by the epoch and iteration in them.

    Args:
        work_dir: The work dir.
        others: Other folders of its checkpoints.

    Returns:
        The file, or None if there is no checkpoint.

    Raises:
        ValueError: If there are some, none of which a training can continue from.
    """
    last = last_checkpoint(work_dir)
    folders = {work_dir, *others, *([] if last is None else [last.parent])}
    found: dict[Path, Position] = {}
    refused: dict[Path, str] = {}
    for path in sorted({file for folder in folders for file in folder.glob('*.pth')}):
        try:
            position = _position(path)
        except Exception as error:  # PyTorch raises all kinds for a damaged file
            refused[path] = _reason(error)
        else:
            if position is not None:
                found[path] = position
            elif path == last:
                refused[path] = 'it holds weights alone (save_optimizer=False)'
    newest_first = sorted(found, key=lambda path: (path == last, found[path]), reverse=True)
    for path in newest_first:
        try:
            verify(path)
        except DamagedFileError as error:
            refused[path] = error.reason
            continue
        for other, reason in refused.items():
            print_log(f'{other} is left out: {reason}.', 'current', logging.WARNING)
        return path
    if last is not None and not last.exists():
        refused[last] = f'{LAST} names it, and there is no such file'
    if refused:
        names = ', '.join(sorted(path.name for path in refused))
        raise ValueError(
            f'--resume: none of the checkpoints of {str(work_dir)!r} can be resumed from '
            f'({names}): {next(iter(refused.values()))}. Or start in another --work-dir.'
        )
    return None


def last_checkpoint(work_dir: Path) -> Path | None:
    """Return the file that ``last_checkpoint`` names, relative to the work dir or not."""
    try:
        name = (work_dir / LAST).read_text(errors='replace').strip()
    except FileNotFoundError:
        return None
    if not name or '\0' in name:
        return None
    here = work_dir / name
    # A name with '..' is meant from where the work dir is, not from a link to it.
    return here if '..' not in here.parts else Path(os.path.realpath(work_dir), name)


def _position(path: Path) -> Position | None:
    """Return where a checkpoint was written; None for what no training continues from.

    Raises:
        Exception: What PyTorch raises for a file that it cannot read.
    """
    with open(path, 'rb') as file:
        start = file.read(2)
    if start.strip(b'\0') and start != b'PK':
        return None  # a file from before PyTorch 1.6, or no checkpoint at all
    # Tensors are mapped, not read: this takes milliseconds.
    content = torch.load(path, map_location='cpu', weights_only=True, mmap=True)
    if not isinstance(content, dict) or not content.keys() >= set(PARTS):
        return None
    return Position(int(content['meta']['epoch']), int(content['meta']['iter']))


def _reason(error: Exception) -> str:
    if isinstance(error, UnpicklingError):
        return 'it holds pickled objects, as the checkpoints of other trainings do'
    return f'it is damaged ({str(error).splitlines()[0]})'
