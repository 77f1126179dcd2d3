"""List the SHA-256 of a folder's files in ``SHA256SUMS``, as ``sha256sum -c`` reads it."""

import hashlib
import os.path as osp
import re
from logging import WARNING
from pathlib import Path

from mmengine.logging import print_log

SUMS = 'SHA256SUMS'
CHUNK = 2**20  # bytes
LINE = re.compile(r'([0-9a-f]{64}) [ *](.+)')


def write_checksums(folder: Path) -> None:
    """Write ``SHA256SUMS`` into a finished folder.

    Args:
        folder: The folder; sub-folders are listed too.
    """
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    lines = [f'{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n' for file in files]
    (folder / SUMS).write_text(''.join(lines), encoding='utf-8')


def listed_sha256(path: str | Path) -> str | None:
    """Return the SHA-256 that a file should have, or None if no ``SHA256SUMS`` lists it.

    Args:
        path: The file; ``SHA256SUMS`` is searched for in its folder and the one above, where
            an export lists the files of its sub-folder.
    """
    file = Path(osp.abspath(path))
    for folder in file.parents[:2]:
        sums = folder / SUMS
        if sums.is_file():
            name = file.relative_to(folder).as_posix()
            for line in sums.read_text(encoding='utf-8', errors='replace').splitlines():
                found = LINE.fullmatch(line)
                if found and found[2].removeprefix('./') == name:
                    return found[1]
    return None


def log_if_changed(path: str | Path) -> None:
    """Log a warning if a file that may be edited, such as a config, is not as it was written.

    Args:
        path: The file.
    """
    listed = listed_sha256(path)
    if listed is not None and listed != sha256_of(path):
        message = f'{path}: edited or damaged since it was written, by {SUMS} in its folder'
        print_log(message, 'current', WARNING)


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:  # hashlib.file_digest came with Python 3.11
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
