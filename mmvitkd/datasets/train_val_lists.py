"""List a folder's training images and its held-out ones, with or without classes."""

import os.path as osp
from dataclasses import replace

from ..utils.errors import KeyedValueError
from .folder_layout import VAL_NAMES, named
from .hash_split import hash_split
from .image_list import ImageList, find_images, without_classes


def find_train_val(
    root: str, val_ratio: float = 0.1, split_seed: int = 0, classes: bool = True
) -> tuple[ImageList, ImageList]:
    """List the images to fit something on, and those to test it on.

    They are those of `root/train` and `root/val`; or, where there is no `val`, a seeded share
    of each class is held out, the same as that of ``mmvitkd.ImageFolder``; without classes, a
    share of all images.

    Args:
        root: The folder.
        val_ratio: The share to hold out.
        split_seed: Decides which images are held out.
        classes: Whether the folders in it are classes, if no image lies next to them.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there are fewer than two images, or the held-out ones have a class that
            the training ones lack.
    """
    if not 0 < val_ratio < 1:
        message = f'{{val_ratio}}={val_ratio}: wanted more than 0 and less than 1.'
        raise KeyedValueError(message, 'val_ratio')
    root = osp.expanduser(root)
    folder = osp.join(root, 'train')
    train = _images(folder if osp.isdir(folder) else root, classes)
    held_out = next(filter(osp.isdir, (osp.join(root, name) for name in sorted(VAL_NAMES))), '')
    if osp.isdir(folder) and held_out:
        return train, with_classes_of(_images(held_out, classes), train)
    return _split(train, val_ratio, split_seed)


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


def _images(folder: str, classes: bool) -> ImageList:
    images = find_images(folder)
    return images if classes else without_classes(images)


def _split(images: ImageList, val_ratio: float, seed: int) -> tuple[ImageList, ImageList]:
    """Hold out a share of each class, or of all images; single images are trained on."""
    labels = images.labels or (0,) * len(images)
    groups: dict[int, list[str]] = {}
    for label, path in zip(labels, images.paths, strict=True):
        groups.setdefault(label, []).append(path)
    held_out = {
        path
        for paths in groups.values()
        if len(paths) > 1
        for path in hash_split(paths, val_ratio, seed)
    }
    if not held_out:
        raise ValueError(f'{images.folder!r}: found one image in each class, wanted two.')
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
