"""Create the folder of a teacher cache, and compare it with what a training needs."""

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ...cache.header import NAME, CacheHeader, differences, read_header, write_header
from ...cache.row_store import RowStore
from ...cache.view_set import ViewSet
from ...datasets.data_identity import (
    files_sha256,
    first_difference,
    read_file_list,
    sample_of_views,
    write_file_list,
)
from ...utils.bytesize import size_text
from ...utils.errors import KeyedValueError, listed
from ...utils.folder_lock import FolderInUseError, folder_lock

KEY = 'teacher_cache'
FILES = 'files.tsv'
# What an interrupted creation may leave behind.
SHARDS = 'shard-*.safetensors'
LEFTOVERS = (SHARDS, FILES, '.tmp-*', '.mmvitkd.lock')
PAGE = 4096  # bytes that a file system gives out at least


def find_header(folder: Path) -> CacheHeader | None:
    """Return what a cache says of itself; None for a folder that becomes one.

    Raises:
        ValueError: If it is a file, or a folder of something else.
    """
    if not folder.is_dir():
        return read_header(folder) if folder.exists() else None
    names = sorted(path.name for path in folder.iterdir())  # once: another may be creating it
    if NAME in names:
        return read_header(folder)
    others = [name for name in names if not any(fnmatch(name, known) for known in LEFTOVERS)]
    if others:
        raise KeyedValueError(
            f'{{{KEY}}}: {folder} is not a teacher cache: there is no {NAME} in it, but '
            f'{listed(others)}. Name an empty or a new folder.',
            KEY,
        )
    return None


def create_cache(
    folder: Path,
    views: ViewSet,
    teacher: Mapping[str, Any],
    tensors: Mapping[str, Any],
    row_bytes: int,
) -> CacheHeader:
    """Create an empty cache.

    Several processes may do so at once: the first one does, and the others get its header.

    Args:
        folder: The folder.
        views: The views that it is for.
        teacher: What tells its teacher from others.
        tensors: What is stored of each output.
        row_bytes: The bytes of a view.

    Returns:
        What the cache says of itself.

    Raises:
        OSError: If the folder cannot be written to.
        ValueError: If there is not enough space for what the training will store, or the
            folder has rows of which nothing tells whose they are.
    """
    needed = needed_bytes(views, row_bytes)
    free = shutil.disk_usage(_existing(folder)).free
    if needed > free:
        raise KeyedValueError(
            f'{{{KEY}}}: {folder} needs {size_text(needed)} for {views.views} views of '
            f'{views.num_images:,} images ({row_bytes:,} bytes each), and {size_text(free)} '
            'are free. Fewer {teacher_cache.views}, or a {teacher_cache.rank}, need less.',
            KEY,
            f'{KEY}.views',
            f'{KEY}.rank',
        )
    files = views.files()
    drawn = sample_of_views(views.num_images, views.views, views.repeats, seed=views.seed)
    checked = [(int(index), index.view, index.repeat) for index in drawn]
    header = CacheHeader(
        num_images=views.num_images,
        views=views.views,
        repeats=views.repeats,
        seed=views.seed,
        row_bytes=row_bytes,
        num_rows=views.num_rows,
        teacher=dict(teacher),
        tensors=dict(tensors),
        data=views.data,
        files_sha256=files_sha256(files),
        versions=views.versions,
        pixel_checks=[
            [*view, checksum]
            for view, checksum in zip(checked, views.checksums(checked), strict=True)
        ],
        created=datetime.now().astimezone().isoformat(' ', 'seconds'),
    )
    while (first := find_header(folder)) is None:
        try:
            with folder_lock(folder, 'a training that creates it'):
                if find_header(folder) is None:
                    _remove_leftovers(folder)
                    RowStore.create(folder, views.num_rows, row_bytes)
                    write_file_list(folder / FILES, files)
                    write_header(folder, header)
        except FolderInUseError:
            time.sleep(0.1)
        except OSError as error:
            reason = f'{KEY}: {folder} cannot be created: {error.strerror or error}'
            raise OSError(error.errno, reason, error.filename) from error
    return first


def _remove_leftovers(folder: Path) -> None:
    """Remove the empty shards of an interrupted creation, which may be of another size."""
    for path in folder.glob(SHARDS):
        with suppress(SafetensorError), safe_open(path, 'numpy') as shard:
            if shard.get_tensor('crc32').any():
                raise KeyedValueError(
                    f'{{{KEY}}}: {folder} has rows in {path.name}, but no {NAME} that says '
                    'whose they are. Restore it, or use another folder.',
                    KEY,
                )
        path.unlink()


def needed_bytes(views: ViewSet, row_bytes: int) -> int:
    """Return the space that the rows of a training take.

    Rows that it does not ask for, such as those of images that repeated augmentation leaves
    out, are holes in the files as far as they are larger than a page.
    """
    planned = sum(map(len, views.planned_rows()))
    whole = views.num_rows * (row_bytes + 4)
    return whole if planned == views.num_rows else min(whole, planned * (row_bytes + 4 + PAGE))


def check_views(
    folder: Path, header: CacheHeader, views: ViewSet, ignore_versions: bool, pixels: bool
) -> None:
    """Check that a cache holds the views that a training asks for.

    Args:
        folder: The folder.
        header: What the cache says of itself.
        views: The views.
        ignore_versions: Whether other versions of packages are accepted.
        pixels: Whether files and pixels are compared too.

    Raises:
        ValueError: If they differ; says which key or file, and how.
    """
    _check_seed_and_views(folder, header, views)
    files = views.files() if pixels else []
    if pixels and files_sha256(files) != header.files_sha256:
        refuse_differences(folder, [_changed_files(folder / FILES, files)])
    keys = ('num_images', 'repeats')
    stored, found = ({key: getattr(side, key) for key in keys} for side in (header, views))
    refuse_differences(folder, differences(stored, found))
    refuse_differences(folder, differences(header.data, views.data))
    if not ignore_versions:
        changed = differences(header.versions, views.versions, 'versions')
        hint = (
            'With equal pixels they may be used: {teacher_cache.ignore_versions}=True compares '
            'those of 64 views.'
        )
        refuse_differences(folder, changed, hint, f'{KEY}.ignore_versions')
    if not pixels:
        return
    checked = [(index, view, repeat) for index, view, repeat, _ in header.pixel_checks]
    for view, checksum, entry in zip(
        checked, views.checksums(checked), header.pixel_checks, strict=True
    ):
        if checksum != entry[3]:
            named = len(files) == header.num_images
            name = files[view[0]][0] if named else f'image {view[0]}'
            difference = f'the pixels of {name}, view {view[1]}, are others than in the cache'
            refuse_differences(folder, [difference])


def _changed_files(stored: Path, files: Sequence[tuple[str, int]]) -> str:
    """Return how the images differ from the list that is stored."""
    try:
        difference = first_difference(read_file_list(stored), files)
    except (OSError, ValueError) as error:
        return f'other images (which ones is unknown: {error})'
    return difference or f'other images than the {stored.name} of this cache was written for'


def _check_seed_and_views(folder: Path, header: CacheHeader, views: ViewSet) -> None:
    """Check which views the rows are; fewer views than there are rows for will do."""
    if views.views > header.views:
        raise KeyedValueError(
            f'{{{KEY}}}: {folder} holds {header.views} views, and this training asks for '
            f'{views.views}. Set {{{KEY}.views}}={header.views}, or use another folder.',
            KEY,
            f'{KEY}.views',
        )
    if views.seed != header.seed:
        raise KeyedValueError(
            f'{{{KEY}}}: {folder} holds the views of seed {header.seed}, and this training '
            f'draws those of seed {views.seed}. Set {{sample_seed}}={header.seed} to use them, '
            'whatever randomness.seed is, or use another folder.',
            KEY,
            'sample_seed',
        )


def refuse_differences(
    folder: Path, found: Sequence[str], hint: str = 'Use another folder.', *settings: str
) -> None:
    """Raise ValueError if there are differences."""
    if found:
        raise KeyedValueError(
            f'{{{KEY}}}: {folder} was not filled for this training: {"; ".join(found)}. {hint}',
            KEY,
            *settings,
        )


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
