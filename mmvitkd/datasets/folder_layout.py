"""Find the images and classes of a folder and of its splits."""

import os
import os.path as osp
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mmpretrain.datasets import ImageNet

from ..utils.deprecation import renamed_arguments
from ..utils.errors import listed
from ..utils.walk import walk_once
from .hash_split import hash_split

SPLITS = ('train', 'val', 'test')
EXTENSIONS = (*ImageNet.IMG_EXTENSIONS, '.tiff', '.webp', '.gif', '.jp2', '.avif')
# Other names of split folders, which classes hardly ever have.
VAL_NAMES = {'val', 'valid', 'validation'}
SPLIT_NAMES = {*SPLITS, *VAL_NAMES, 'training', 'testing'}
Files = dict[str, list[str]]  # sorted paths under their class


class SplitFiles(NamedTuple):
    """The images of one split.

    Attributes:
        folder: The folder that holds the class folders.
        files: The images of each training class, both sorted, as paths below `folder`.
            A class of validation or test can be empty.
        ignored: The other files below `folder`.
        seeded: Whether the split is a seeded part of the training folder.
    """

    folder: str
    files: Files
    ignored: list[str]
    seeded: bool


@renamed_arguments(val_share='val_ratio')
def find_files(
    root: str,
    split: str,
    val_ratio: float = 0.1,
    split_seed: int = 0,
    extensions: Sequence[str] = EXTENSIONS,
) -> SplitFiles:
    """Find the images of a split in `root/{train,val,test}/<class>/**` or `root/<class>/**`.

    Names that begin with a dot and `__MACOSX` are skipped, links are followed, each folder once
    within a class. Without a `val`
    folder, `val_ratio` of each class is held out of training. Without a `test` folder, the test
    split is the validation split.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If an argument is wrong, or the folders are not laid out as above; the
            message lists them.
    """
    check_split(split, val_ratio)
    extensions = tuple(extension.lower() for extension in extensions)
    try:
        wanted = 'one with train/<class>/ or <class>/'
        train, own = split_folders(osp.expanduser(root), split, wanted)
        if own is not None and own != train:
            return _own_files(own, _subfolders(train), extensions)
        files, ignored = scan(train, extensions)
        _check_images(train, files, files, extensions)
        if empty := [name for name in files if not files[name]]:
            raise ValueError(f'there is no image in the class folders {named(empty)}.')
        if own is None:
            files = _part_of(files, split, val_ratio, split_seed)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f'data_root={root!r}, split={split!r}: {error}') from None
    return SplitFiles(train, files, ignored, seeded=own is None)


def named(names: Iterable[str], limit: int = 10) -> str:
    """Return the first few names in quotes, and how many more there are."""
    return listed([repr(name) for name in names], limit)


def check_split(split: str, val_ratio: float) -> None:
    """Raise ValueError if the name of a split or the share to hold out is wrong."""
    if split not in SPLITS:
        raise ValueError(f'split={split!r}: wanted {named(SPLITS)}.')
    if not 0 < val_ratio < 1:
        raise ValueError(f'val_ratio={val_ratio}: wanted more than 0 and less than 1.')


def split_folders(root: str, split: str, wanted: str) -> tuple[str, str | None]:
    """Return the training folder and that of the split; None for a seeded part.

    Args:
        root: The folder, which may hold a folder for each split.
        split: The name of the split.
        wanted: What `root` should be, for the message.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the folders of splits have other names.
    """
    if not osp.isdir(root):
        raise FileNotFoundError(f'there is no such folder; set data_root to {wanted}.')
    folders = _subfolders(root)
    if 'train' not in folders:
        if found := [name for name in folders if name.lower() in SPLIT_NAMES]:
            raise ValueError(f"found {named(found)} without 'train'; wanted 'train' and 'val'.")
        return root, None
    found = [name for name in folders if name.lower() in VAL_NAMES]
    if found and 'val' not in found:
        raise ValueError(f"found {named(found)} next to 'train'; rename it to 'val'.")
    own = 'test' if split == 'test' and 'test' in folders else 'val'
    if split == 'train' and found:
        own = 'train'
    return osp.join(root, 'train'), osp.join(root, own) if own in folders else None


def _own_files(folder: str, classes: list[str], extensions: tuple[str, ...]) -> SplitFiles:
    """Find the images of a validation or test folder."""
    files, ignored = scan(folder, extensions)
    if unknown := [name for name in files if name not in classes]:
        raise ValueError(
            f'training has no class folders {named(unknown)}, which are in {folder!r}.'
        )
    _check_images(folder, files, classes, extensions)
    return SplitFiles(folder, {c: files.get(c, []) for c in classes}, ignored, seeded=False)


def _check_images(
    folder: str, files: Files, classes: Iterable[str], extensions: tuple[str, ...]
) -> None:
    """Raise ValueError without images, or with fewer than two classes."""
    wanted = 'wanted one folder of images per class'
    if not files:
        raise ValueError(
            f'there is no class folder in {folder!r}; {wanted}, or with_label=False for images '
            'without labels.'
        )
    if not any(files.values()):
        raise ValueError(
            f'there is no image ({", ".join(extensions)}) in {folder!r}; {wanted}.'
        )
    if len(classes := list(classes)) < 2:
        raise ValueError(
            f'found one class, {named(classes)}; wanted two or more, or with_label=False for '
            'images without labels.'
        )


def _part_of(files: Files, split: str, val_ratio: float, seed: int) -> Files:
    """Return the part of the training folder that belongs to a split."""
    if single := [name for name, paths in files.items() if len(paths) == 1]:
        raise ValueError(
            f'there is a single image in {named(single)}; wanted two, as there is no '
            "'val' and each class needs one image to train on and one to validate on."
        )
    part = {}
    for name, paths in files.items():
        val = hash_split(paths, val_ratio, seed)
        part[name] = [path for path in paths if (path in val) != (split == 'train')]
    return part


def scan(folder: str, extensions: tuple[str, ...]) -> tuple[Files, list[str]]:
    """List the images of each class folder, and all other files.

    Links are followed. Within a class each folder counts once, so that cycles of links end.
    """
    top = [entry.name for entry in os.scandir(folder) if not entry.is_dir()]
    files: Files = {}
    ignored = list(filter(is_visible, top))
    for name in _subfolders(folder):
        files[name] = []
        for parent, _, names in walk_once(osp.join(folder, name), is_visible):
            below = Path(parent).relative_to(folder).as_posix()
            for path in (f'{below}/{file}' for file in names):
                is_image = path.lower().endswith(extensions)
                (files[name] if is_image else ignored).append(path)
    return {name: sorted(paths) for name, paths in files.items()}, sorted(ignored)


def _subfolders(folder: str) -> list[str]:
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and is_visible(e.name))


def is_visible(name: str) -> bool:
    """Return whether a file or folder is looked at."""
    return not name.startswith('.') and name != '__MACOSX'
