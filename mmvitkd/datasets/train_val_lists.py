"""List a folder's training images and its held-out ones, with or without classes."""

import os.path as osp
from dataclasses import replace

from .folder_layout import check_split, named, split_folders
from .hash_split import hash_split
from .image_list import ImageList, find_images, without_classes
from .unlabelled_files import UnlabelledFiles, find_unlabelled_files


def find_train_val(
    root: str,
    val_ratio: float = 0.1,
    split_seed: int = 0,
    classes: bool = True,
    by_class: bool = True,
) -> tuple[ImageList, ImageList]:
    """List the images to fit something on, and those to test it on.

    They are those of `root/train` and `root/val`; or, where there is no `val`, a seeded share
    is held out, the same as by ``mmvitkd.ImageFolder``: of each class or, as of a training
    without labels, of all images.

    Args:
        root: The folder; without classes also a text file with one path a line.
        val_ratio: The share to hold out.
        split_seed: Decides which images are held out.
        classes: Whether the folders in it are classes, if no image lies next to them.
        by_class: Whether the share is one of each class, where there are classes.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there are fewer than two images, or the held-out ones have a class that
            the training ones lack.
    """
    root = osp.expanduser(root)
    train = None
    if classes and osp.isdir(root):
        folder = osp.join(root, 'train')
        train = find_images(folder if osp.isdir(folder) else root)
    if train is None or train.classes is None:
        first, second = (
            find_unlabelled_files(root, split, val_ratio, split_seed)
            for split in ('train', 'val')
        )
        return _unlabelled(first), _unlabelled(second)
    check_split('val', val_ratio)
    _, own = split_folders(root, 'val', 'one with train/<class>/ or <class>/')
    if own is not None:
        return train, with_classes_of(find_images(own), train)
    if by_class:
        return _split(train, _of_each_class(train, val_ratio, split_seed))
    unlabelled = find_unlabelled_files(root, 'val', val_ratio, split_seed)
    return _split(train, set(unlabelled.paths))


def with_classes_of(images: ImageList, others: ImageList) -> ImageList:
    """Return images with the labels that others have; without labels if either has none.

    Raises:
        ValueError: If an image is of a class that the others lack.
    """
    if images.classes is None or images.labels is None or others.classes is None:
        return without_classes(images)
    present = {images.classes[label] for label in images.labels}
    if unknown := sorted(present.difference(others.classes)):
        raise ValueError(
            f'{others.folder!r} lacks the classes {named(unknown)} of {images.folder!r}.'
        )
    labels = tuple(others.classes.index(images.classes[label]) for label in images.labels)
    return replace(images, labels=labels, classes=others.classes)


def spread(images: ImageList, number: int | None) -> ImageList:
    """Return at most a number of the images, spread evenly over the list."""
    if number is None or number >= len(images):
        return images
    if number < 1:
        raise ValueError(f'found {number} images, wanted 1 or more.')
    return _part(images, [i * len(images) // number for i in range(number)])


def _unlabelled(found: UnlabelledFiles) -> ImageList:
    return ImageList(found.folder, tuple(found.paths), None, None)


def _of_each_class(images: ImageList, val_ratio: float, seed: int) -> set[str]:
    """Draw a share of each class, of which a single image is not drawn."""
    assert images.labels is not None
    groups: dict[int, list[str]] = {}
    for label, path in zip(images.labels, images.paths, strict=True):
        groups.setdefault(label, []).append(path)
    several = [paths for paths in groups.values() if len(paths) > 1]
    if not several:
        raise ValueError(f'{images.folder!r}: found one image in each class, wanted two.')
    return {path for paths in several for path in hash_split(paths, val_ratio, seed)}


def _split(images: ImageList, held_out: set[str]) -> tuple[ImageList, ImageList]:
    """Divide images into those that are not held out, and those that are."""
    indices: tuple[list[int], list[int]] = ([], [])
    for index, path in enumerate(images.paths):
        indices[path in held_out].append(index)
    return _part(images, indices[0]), _part(images, indices[1])


def _part(images: ImageList, indices: list[int]) -> ImageList:
    labels = images.labels
    return replace(
        images,
        paths=tuple(images.paths[i] for i in indices),
        labels=None if labels is None else tuple(labels[i] for i in indices),
    )
