"""Seal a SHA-256 into a checkpoint file, and verify files before they are loaded.

The digest is inside the file, so that no kill between two renames can part them. It covers
every byte but its own 64 digits, which are

* at the very end of a ``torch.save`` file, in the comment of its zip archive: there
  ``head -c -64 FILE | sha256sum`` and ``tail -c 64 FILE`` print the same digits;
* in ``__metadata__['sha256']`` of a safetensors file.

Both still load with plain PyTorch and safetensors.
"""

import hashlib
import json
import os
import re
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from .checksums import SUMS, listed_sha256, sha256_of

DIGITS = 64
MARK = b'mmvitkd sha256='
END_RECORD = struct.Struct('<4s16xH')  # a zip's last record: signature, ..., comment length
END_SIGNATURE = b'PK\x05\x06'
SAFETENSORS_DIGEST = re.compile(rb'"sha256":"([^"]{%d})"' % DIGITS)
ADVICE = 'Take another copy of it, or an earlier checkpoint'


class DamagedFileError(ValueError):
    """Raised for a file whose bytes are not those that were written.

    Args:
        path: The file.
        found: What is wrong with it.

    Attributes:
        reason: The message without the file's name and size.
    """

    def __init__(self, path: str | Path, found: str) -> None:
        self.reason = f'it is damaged: {found}. {ADVICE}'
        super().__init__(f'{str(path)!r} ({os.path.getsize(path):,} bytes): {self.reason}')


def seal(path: str | Path) -> None:
    """Write a file's SHA-256 into it. Call it before the file gets its final name.

    Args:
        path: A finished file of ``torch.save`` (a zip without a comment) or of safetensors.

    Raises:
        ValueError: If it is neither.
    """
    with open(path, 'r+b') as file:
        at = _reserve_in_safetensors(file) if _is_safetensors(file) else _reserve_in_zip(file)
        digest = _digest(file, at)
        file.seek(at)
        file.write(digest.encode())


def verify(path: str | Path) -> str | None:
    """Check a file's bytes against its checksums: in ``SHA256SUMS`` next to it, or in it.

    Args:
        path: The file.

    Returns:
        What was checked: 'sha256' of a file that :func:`seal` sealed or ``SHA256SUMS`` lists,
        'crc32' of every record of another ``torch.save`` file, or None if there are no
        checksums.

    Raises:
        DamagedFileError: If they differ, or if a ``torch.save`` file is truncated.
    """
    if not os.path.getsize(path):
        raise DamagedFileError(path, 'it is truncated to nothing')
    listed = listed_sha256(path)
    if listed is not None:
        _compare(path, sha256_of(path), listed, f'listed in {SUMS}')
        return 'sha256'
    with open(path, 'rb') as file:
        at = _sealed_at(file)
        if at is not None:
            file.seek(at)
            wanted = file.read(DIGITS).decode(errors='replace')
            _compare(path, _digest(file, at), wanted, 'sealed in it')
            return 'sha256'
        if _is_safetensors(file):
            return None
        file.seek(0)
        is_zip = file.read(2) == b'PK'
    return 'crc32' if is_zip and _has_right_crcs(path) else None


def _compare(path: str | Path, found: str, wanted: str, where: str) -> None:
    if found != wanted:
        message = f'its SHA-256 begins with {found[:12]}, the one {where} with {wanted[:12]}'
        raise DamagedFileError(path, message)


def _has_right_crcs(path: str | Path) -> bool:
    """Check the CRCs of a zip; return False if it was written without any."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.comment:  # PyTorch writes none
                raise DamagedFileError(path, 'the seal at its end is not whole')
            # As torch.serialization.set_crc32_options(False) makes it write.
            if not any(record.CRC for record in archive.infolist()):
                return False
            wrong = archive.testzip()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, UnicodeError) as error:
        raise DamagedFileError(path, f'it is truncated, or not a zip ({error})') from None
    if wrong is not None:
        raise DamagedFileError(path, f'the CRC-32 of {wrong} in it is wrong')
    return True


def _is_safetensors(file: BinaryIO) -> bool:
    """Return whether a file has a JSON header after eight bytes of length."""
    file.seek(8)
    return file.read(1) == b'{'


def _header(file: BinaryIO) -> bytes:
    file.seek(0)
    (length,) = struct.unpack('<Q', file.read(8))
    size = os.fstat(file.fileno()).st_size
    return file.read(min(length, size))


def _sealed_at(file: BinaryIO) -> int | None:
    """Return where a file's sealed digits begin, or None if it has none."""
    if _is_safetensors(file):
        found = SAFETENSORS_DIGEST.search(_header(file))
        return 8 + found.start(1) if found else None
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - DIGITS - len(MARK)))
    return size - DIGITS if file.read(len(MARK)) == MARK else None


def _reserve_in_zip(file: BinaryIO) -> int:
    """Give a zip a comment that ends where its digits will follow; return that place."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - END_RECORD.size))
    end = file.read()
    if len(end) < END_RECORD.size or END_RECORD.unpack(end) != (END_SIGNATURE, 0):
        raise ValueError(f'{file.name!r}: wanted a file of torch.save or safetensors to seal.')
    comment = struct.pack('<H', len(MARK) + DIGITS) + MARK
    file.seek(size - 2)
    file.write(comment)
    return size - 2 + len(comment)


def _reserve_in_safetensors(file: BinaryIO) -> int:
    """Add an entry for the digits to the metadata; return where they will be."""
    old = _header(file)
    tensors = file.read()
    content = json.loads(old)
    content['__metadata__'] = {**content.get('__metadata__', {}), 'sha256': '0' * DIGITS}
    header = json.dumps(content, separators=(',', ':')).encode()
    header += b' ' * (-len(header) % 8)  # as safetensors aligns the tensors
    file.seek(0)
    file.write(struct.pack('<Q', len(header)) + header)
    file.write(tensors)
    file.truncate()
    at = _sealed_at(file)
    assert at is not None
    return at


def _digest(file: BinaryIO, at: int) -> str:
    """Return the hexadecimal SHA-256 of a file without the digits at a place."""
    digest = hashlib.sha256()
    file.seek(0)
    left = at
    while left:
        chunk = file.read(min(left, 1 << 20))
        digest.update(chunk)
        left -= len(chunk)
    file.seek(at + DIGITS)
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()
