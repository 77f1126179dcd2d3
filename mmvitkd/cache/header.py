"""Describe what a cache holds in its cache.json, and find how it differs from a run."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from ..utils.atomic_file import atomic_file
from .damaged_cache import DamagedCacheError

NAME = 'cache.json'
FORMAT = 1
FIX = 'Restore it, or use another folder.'  # no repair tells what the rows are
MAX_TEXT = 80  # characters of a value in a message
ABSENT = object()


@dataclass(frozen=True, kw_only=True)
class CacheHeader:
    """What a cache holds, and what it was made from.

    Attributes:
        num_images: The number of images of the data set.
        views: The number of different augmentations of an image.
        repeats: The number of repeated samples of an image in one view.
        seed: The seed of the samples.
        row_bytes: The bytes of a row.
        num_rows: The number of rows.
        teacher: What determines what the teacher says.
        tensors: By name, what is stored of each output: the ``source``, ``codec``, ``grid``,
            ``whole``, ``is_logits`` and ``pool`` of a ``StoredTensor``, see there.
        data: What determines the pixels: the pipeline, the preprocessor, the data set.
        files_sha256: The SHA-256 of the list of images.
        versions: The versions of packages that change pixels.
        pixel_checks: The [index, view, repeat, SHA-256 of the pixels] of some views.
        created: When.
        format: The version of the format.
    """

    num_images: int
    views: int
    repeats: int
    seed: int
    row_bytes: int
    num_rows: int
    teacher: dict[str, Any]
    tensors: dict[str, dict[str, Any]]
    data: dict[str, Any]
    files_sha256: str
    versions: dict[str, str]
    pixel_checks: list[list[Any]]
    created: str
    format: int = FORMAT


def write_header(folder: str | Path, header: CacheHeader) -> None:
    """Write the header, as the last file of a new cache: without it, a folder is none.

    Raises:
        OSError: If it cannot be written.
    """
    with atomic_file(Path(folder, NAME)) as temporary:
        temporary.write_text(json.dumps(asdict(header), indent=2) + '\n', encoding='utf-8')


def read_header(folder: str | Path) -> CacheHeader:
    """Read the header of a cache.

    Raises:
        FileNotFoundError: If the folder is no cache.
        DamagedCacheError: If the header is not valid.
        ValueError: If it is of a newer format.
    """
    path = Path(folder, NAME)
    try:
        values = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f'{folder} is no teacher cache: it has no {NAME}. Give the folder of a cache, or a '
            'new one.'
        ) from None
    except ValueError as error:
        raise DamagedCacheError(path, f'invalid JSON ({error})', fix=FIX) from None
    if not isinstance(values, dict):
        text = f'found a {type(values).__name__}, wanted an object'
        raise DamagedCacheError(path, text, fix=FIX)
    found = values.get('format')
    if isinstance(found, int) and found > FORMAT:
        raise ValueError(
            f'{path}: format {found}, but this version of mmvitkd reads up to {FORMAT}. Update '
            'mmvitkd, or use another folder.'
        )
    for key, hint in get_type_hints(CacheHeader).items():
        wanted = get_origin(hint) or hint
        if not isinstance(values.get(key), wanted):
            found = f'found {_text(values[key])}' if key in values else 'missing'
            text = f'{key}: {found}, wanted {wanted.__name__}'
            raise DamagedCacheError(path, text, fix=FIX)
    return CacheHeader(**{field.name: values[field.name] for field in fields(CacheHeader)})


def differences(
    stored: Mapping[str, Any],
    wanted: Mapping[str, Any],
    prefix: str = '',
    limit: int | None = None,
) -> list[str]:
    """List how a part of a header differs from that of a run.

    Args:
        stored: The part in the cache, of nested dicts and lists.
        wanted: The same of the run.
        prefix: The name of the part, such as 'train_dataloader'.
        limit: The most lines.

    Returns:
        Lines such as 'pipeline[2].magnitude_level: 6 in the cache, 9 in this run'.

    >>> differences({'size': [8, 8]}, {'size': [8, 9]}, 'data')
    ['data.size[1]: 8 in the cache, 9 in this run']
    """
    return list(islice(_differences(stored, wanted, prefix), limit))


def _differences(stored: Any, wanted: Any, name: str) -> Iterator[str]:
    if isinstance(stored, Mapping) and isinstance(wanted, Mapping):
        for key in dict.fromkeys((*stored, *wanted)):
            inner = f'{name}.{key}' if name else str(key)
            yield from _differences(stored.get(key, ABSENT), wanted.get(key, ABSENT), inner)
    elif isinstance(stored, list | tuple) and isinstance(wanted, list | tuple):
        pairs = zip_longest(stored, wanted, fillvalue=ABSENT)
        for index, (one, other) in enumerate(pairs):
            yield from _differences(one, other, f'{name}[{index}]')
    elif stored != wanted:
        sides = (stored, 'in the cache'), (wanted, 'in this run')
        yield f'{name}: ' + ', '.join(
            f'not {where}' if value is ABSENT else f'{_text(value)} {where}'
            for value, where in sides
        )


def _text(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + '...'
