"""List the images of a folder in sorted order: all, some, or the first of each class."""

import os.path as osp
from dataclasses import dataclass, replace

from ..utils.errors import KeyedValueError
from .folder_layout import EXTENSIONS, SPLIT_NAMES, named, scan


@dataclass(frozen=True)
class ImageList:
    """Images in a fixed order.

    Attributes:
        folder: The folder they are in.
        paths: The files, relative to the folder.
        labels: The class of each, an index into ``classes``; None without class folders.
        classes: The sorted names of the class folders, some of which may be empty; None
            without class folders.
    """

    folder: str
    paths: tuple[str, ...]
    labels: tuple[int, ...] | None
    classes: tuple[str, ...] | None

    def __len__(self) -> int:
        return len(self.paths)

    def file(self, index: int) -> str:
        """Return the path of an image."""
        return osp.join(self.folder, self.paths[index])


def find_images(
    folder: str, first_per_class: bool = False, num_images: int | None = None
) -> ImageList:
    """List the images of a folder: `<class>/**`, or without classes.

    They are sorted by class folder, then by path. If any image lies directly in the folder, no
    image has a class. :func:`~mmvitkd.datasets.folder_layout.find_files` says which files count
    as images and which are skipped.

    Args:
        folder: The folder.
        first_per_class: Whether to take only the first image of each class, the subset of
            arXiv 2511.15572.
        num_images: The maximum number of images: of T images those at
            ``i * T // num_images``, which are spread over all classes.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there are fewer than two images, or the folder holds splits, or it
            lacks the class folders that ``first_per_class`` needs.
    """
    folder = osp.expanduser(folder)
    if not osp.isdir(folder):
        raise FileNotFoundError(f'{folder!r}: there is no such folder; wanted one of images.')
    if num_images is not None and num_images < 2:
        raise KeyedValueError(f'{{num_images}}={num_images}: wanted two or more.', 'num_images')
    classes, others = scan(folder, EXTENSIONS)
    loose = [p for p in others if '/' not in p and p.lower().endswith(EXTENSIONS)]
    _check_splits(folder, [name for name in classes if classes[name]])
    if loose:
        found = [(path, -1) for path in sorted(sum(classes.values(), loose))]
    else:
        found = [(p, label) for label, paths in enumerate(classes.values()) for p in paths]
    if first_per_class:
        if loose or not found:
            raise ValueError(f'{folder!r}: first_per_class needs class folders, found none.')
        found = [(paths[0], i) for i, paths in enumerate(classes.values()) if paths]
    if num_images is not None and num_images < len(found):
        found = [found[i * len(found) // num_images] for i in range(num_images)]
    if len(found) < 2:
        raise ValueError(
            f'{folder!r}: wanted two or more images ({", ".join(EXTENSIONS)}), found '
            f'{len(found)}.'
        )
    paths, labels = zip(*found, strict=True)
    return ImageList(folder, paths, *((None, None) if loose else (labels, tuple(classes))))


def without_classes(images: ImageList) -> ImageList:
    """Return the same images without labels."""
    return replace(images, labels=None, classes=None)


def _check_splits(folder: str, names: list[str]) -> None:
    """Raise ValueError if the folders are splits, which would be mistaken for classes."""
    if names and all(name.lower() in SPLIT_NAMES for name in names):
        raise ValueError(f'{folder!r} holds the splits {named(names)}: give one of them.')
