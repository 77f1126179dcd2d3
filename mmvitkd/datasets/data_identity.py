"""Tell whether training data are the same as before: their files, their order, their pixels."""

import csv
import errno
import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from ..utils.atomic_file import atomic_file
from ..utils.errors import listed
from .samplers.view_sampler import ViewIndex
from .seeded_samples import SeededSamples

Files = list[tuple[str, int]]
COLUMNS = ['path', 'bytes']
THREADS, CHUNK = 32, 256
# What draws, decodes and transforms pixels, by the names that users install.
MODULES = {
    'Pillow': 'PIL',
    'OpenCV': 'cv2',
    'numpy': 'numpy',
    'torch': 'torch',
    'torchvision': 'torchvision',
    'timm': 'timm',
    'mmcv': 'mmcv',
    'mmpretrain': 'mmpretrain',
}


def file_list(dataset: Any) -> Files:
    """List the images of a data set in its order.

    Args:
        dataset: The data set, also in wrappers such as :class:`SeededSamples`.

    Returns:
        The path of each image, relative to the folder that all share, and its size in bytes,
        or -1 if it is not on this file system (``s3://...``).
        A data set that does not name a file for each image, such as CIFAR: its type and its
        length, as the only entry.

    Raises:
        FileNotFoundError: If an image is missing; names it.
    """
    get_info = getattr(dataset, 'get_data_info', None)
    infos = (get_info(i) for i in range(len(dataset))) if get_info else ()
    paths = [info.get('img_path') for info in infos]
    if not paths or not all(isinstance(path, str) for path in paths):
        return [(_type_name(dataset), len(dataset))]
    files = list(dict.fromkeys(paths))  # a RepeatDataset lists each several times
    found = dict(zip(files, zip(_relative(files), _sizes(files), strict=True), strict=True))
    return [found[path] for path in paths]


def _type_name(dataset: Any) -> str:
    """Return the name of a data set's class, without wrappers."""
    while (inner := getattr(dataset, 'dataset', None)) is not None:
        dataset = inner
    return f'{type(dataset).__module__}.{type(dataset).__qualname__}'


def _relative(paths: Sequence[str]) -> Iterator[str]:
    """Return paths as seen from the folder that all share."""
    folders = {folder: os.path.abspath(folder) for folder in set(map(os.path.dirname, paths))}
    common = os.path.commonpath(folders.values())
    folders = {folder: os.path.relpath(full, common) for folder, full in folders.items()}
    for path in paths:
        folder, name = os.path.split(path)
        yield os.path.normpath(os.path.join(folders[folder], name))


def _sizes(paths: Sequence[str]) -> Iterator[int]:
    """Return the sizes of files, asked for in parallel: network folders answer slowly."""
    chunks = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
    with ThreadPoolExecutor(THREADS) as pool:
        for sizes in pool.map(lambda chunk: [_size(path) for path in chunk], chunks):
            yield from sizes


def _size(path: str) -> int:
    if '://' in path:
        return -1
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        reason = 'this image of the data set does not exist'
        raise FileNotFoundError(errno.ENOENT, reason, path) from None


def _tsv(files: Sequence[tuple[str, int]]) -> bytes:
    text = io.StringIO(newline='')
    writer = csv.writer(text, 'excel-tab')
    writer.writerow(COLUMNS)
    writer.writerows(files)
    # A file name need not be valid text.
    return text.getvalue().encode('utf-8', 'surrogateescape')


def files_sha256(files: Sequence[tuple[str, int]]) -> str:
    """Return the SHA-256 of a list of files: that of the table that lists them."""
    return sha256(_tsv(files)).hexdigest()


def write_file_list(path: str | Path, files: Sequence[tuple[str, int]]) -> None:
    """Write a list of files as a table of tab-separated values, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(_tsv(files))


def read_file_list(path: str | Path) -> Files:
    """Read the table of :func:`write_file_list`.

    Raises:
        ValueError: If it is no such table; names the line.
    """
    text = Path(path).read_bytes().decode('utf-8', 'surrogateescape')
    rows = csv.reader(io.StringIO(text, newline=''), 'excel-tab', strict=True)
    files: Files = []
    try:
        if next(rows, None) != COLUMNS:
            raise ValueError(f'wanted the columns {" and ".join(COLUMNS)}')
        for name, size in rows:
            files.append((name, int(size)))
    except (ValueError, csv.Error) as error:
        raise ValueError(
            f'{path}: invalid list of files in line {rows.line_num}: {error}.'
        ) from None
    return files


def first_difference(
    stored: Sequence[tuple[str, int]], found: Sequence[tuple[str, int]]
) -> str:
    """Say in a line how a list of files differs from a stored one; nothing if it does not.

    Files come first, which have vanished, are new, or have another size; then their order.
    """
    old, new = dict(stored), dict(found)
    kinds = {
        'missing': [path for path in old if path not in new],
        'new': [path for path in new if path not in old],
        'another size': [
            f'{path} ({new[path]}, was {size})'
            for path, size in old.items()
            if new.get(path, size) != size
        ],
    }
    if any(kinds.values()):
        return '; '.join(f'{kind}: {listed(all_, 3)}' for kind, all_ in kinds.items() if all_)
    if len(stored) != len(found):
        return f'another number of images: {len(found)}, was {len(stored)}'
    for number, ((was, _), (now, _)) in enumerate(zip(stored, found, strict=True)):
        if was != now:
            return f'another order: image {number} is {now}, was {was}'
    return ''


def pixel_checksums(dataset: SeededSamples, views: Sequence[ViewIndex]) -> list[str]:
    """Return the SHA-256 of the pixels of views, with their shape and type.

    Args:
        dataset: The data set, whose samples have ``inputs``.
        views: Which views to load.
    """
    return [_checksum(dataset[view]['inputs']) for view in views]


def _checksum(inputs: torch.Tensor) -> str:
    """Return the SHA-256 of a tensor."""
    digest = sha256(f'{tuple(inputs.shape)} {inputs.dtype} '.encode())
    digest.update(inputs.detach().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def sample_of_views(
    num_images: int, views: int, repeats: int, count: int = 64, seed: int = 0
) -> list[ViewIndex]:
    """Draw some of all views: one from each of ``count`` equal parts of them, in their order.

    The same arguments give the same ones on every machine and in every version.

    Args:
        num_images: The length of the data set.
        views: How many views an image has.
        repeats: How many copies of each view, 1 without repeated augmentation.
        count: The number to draw; if there are not as many, all are returned.
        seed: Another seed gives another draw.
    """
    total = num_images * views * repeats
    count = min(count, total)
    bounds = [part * total // count for part in range(count + 1)]
    drawn = (low + _draw(seed, low) % (high - low) for low, high in pairwise(bounds))
    return [
        ViewIndex(row % num_images, row // num_images // repeats, row // num_images % repeats)
        for row in drawn
    ]


def _draw(seed: int, number: int) -> int:
    return int.from_bytes(sha256(f'{seed}/{number}'.encode()).digest()[:8], 'big')


def pixel_versions() -> dict[str, str]:
    """Return the versions of the packages that can change pixels.

    What follows a ``+``, such as the CUDA version of a build, changes none, and is left out.
    """
    return {
        name: str(import_module(module).__version__).partition('+')[0]
        for name, module in MODULES.items()
    }
