"""Find the images of a folder, or of a list of paths, that have no classes."""

import os.path as osp
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..utils.walk import walk_once
from .folder_layout import EXTENSIONS, check_split, is_visible, split_folders
from .hash_split import hash_split


class UnlabelledFiles(NamedTuple):
    """The images of one split.

    Attributes:
        folder: The folder that the paths are relative to.
        paths: The images, sorted; a list may hold absolute paths too.
        ignored: The other files below `folder`.
        seeded: Whether the split is a seeded part of all.
    """

    folder: str
    paths: list[str]
    ignored: list[str]
    seeded: bool


def find_unlabelled_files(
    root: str,
    split: str,
    val_ratio: float = 0.1,
    split_seed: int = 0,
    extensions: Sequence[str] = EXTENSIONS,
) -> UnlabelledFiles:
    """Find the images of a split below `root`, or below `root/{train,val,test}`.

    Or `root` is a text file with one path a line, absolute or relative to the file's folder.
    What is skipped, how links are followed and which folder belongs to a split is as in
    :func:`~mmvitkd.datasets.folder_layout.find_files`. Without a `val` folder, `val_ratio` of
    all images is held out of training.

    Raises:
        FileNotFoundError: If there is no such folder or list, or the first path of a list.
        ValueError: If an argument is wrong, there are no images, or there is a single one.
    """
    check_split(split, val_ratio)
    try:
        return _find(osp.expanduser(root), split, val_ratio, split_seed, extensions)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f'data_root={root!r}, split={split!r}: {error}') from None


def _find(
    root: str, split: str, val_ratio: float, split_seed: int, extensions: Sequence[str]
) -> UnlabelledFiles:
    own = None
    if osp.isfile(root):
        folder, ignored = osp.dirname(root), list[str]()
        paths = _listed_paths(root)
    else:
        train, own = split_folders(
            root, split, 'a folder of images, or a text file with one path a line'
        )
        folder = own or train
        paths, ignored = images_below(folder, extensions)
    if not paths:
        raise ValueError(f'there is no image ({", ".join(extensions)}) in {folder!r}.')
    if own is None:
        if len(paths) == 1:
            raise ValueError(
                f'found one image, {paths[0]!r}; wanted two or more, one to train on and one '
                "to validate on, as there is no 'val'."
            )
        val = hash_split(paths, val_ratio, split_seed)
        paths = [path for path in paths if (path in val) != (split == 'train')]
    return UnlabelledFiles(folder, paths, ignored, seeded=own is None)


def images_below(
    folder: str, extensions: Sequence[str] = EXTENSIONS
) -> tuple[list[str], list[str]]:
    """List the images below a folder, and all other files, both sorted and relative to it."""
    images: list[str] = []
    ignored: list[str] = []
    endings = tuple(extension.lower() for extension in extensions)
    for parent, _, names in walk_once(folder, is_visible):
        below = Path(parent).relative_to(folder)
        for path in ((below / name).as_posix() for name in names):
            (images if path.lower().endswith(endings) else ignored).append(path)
    return sorted(images), sorted(ignored)


def _listed_paths(file: str) -> list[str]:
    """Read a list of paths, sorted, without duplicates and empty lines.

    Only the first path is looked for: a missing image is treated as an unreadable one.
    """
    content = Path(file).read_bytes()
    if b'\0' in content:
        raise ValueError('this file is not text; wanted a folder, or one path a line.')
    # A file name need not be valid text.
    lines = content.decode('utf-8', 'surrogateescape').splitlines()
    paths = [line.strip() for line in lines if line.strip()]
    if not paths:
        raise ValueError('this list is empty; wanted one path of an image a line.')
    if not osp.exists(osp.join(osp.dirname(file), paths[0])):
        raise FileNotFoundError(
            f'the first path of this list, {paths[0]!r}, does not exist; wanted one path a '
            f'line, absolute or relative to {osp.dirname(file) or "."!r}.'
        )
    return sorted(set(paths))
