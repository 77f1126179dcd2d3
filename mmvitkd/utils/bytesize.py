"""Parse and format sizes of memory, such as '2GiB'."""

import re

UNITS = {'': 1, 'b': 1, 'kb': 10**3, 'mb': 10**6, 'gb': 10**9, 'tb': 10**12}
UNITS |= {'kib': 2**10, 'mib': 2**20, 'gib': 2**30, 'tib': 2**40}


def parse_size(text: str) -> int:
    """Return the bytes of '2GiB', '512 MiB', '1.5GB' or a plain number.

    Raises:
        ValueError: If the text is not a size, or the size is 0.
    """
    match = re.fullmatch(r'\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*', text)
    unit = match[2].lower() if match else ''
    size = int(float(match[1]) * UNITS[unit]) if match and unit in UNITS else 0
    if size < 1:
        raise ValueError(f'found {text!r}, wanted a size such as 2GiB or 512MiB.')
    return size


def size_text(size: float) -> str:
    """Format bytes in the largest unit that fits, such as '1.5 GiB'."""
    for unit in ('B', 'KiB', 'MiB', 'GiB'):
        if size < 1024:
            return f'{size:.3g} {unit}'
        size /= 1024
    return f'{size:.3g} TiB'
