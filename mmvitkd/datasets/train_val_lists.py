"""List a folder's training images and its held-out ones, with or without classes."""

import os.path as osp
from dataclasses import replace

from .folder_layout import check_split, named, split_folders
from .hash_split import hash_split
from .image_list import ImageList, find_images, without_classes
from .unlabelled_files import UnlabelledFiles, find_unlabelled_files


def find_train_val(
    root: str, val_ratio: float = 0.1, split_seed: int = 0, classes: bool = True
) -> tuple[ImageList, ImageList]:
    """List the images to fit something on, and those to test it on.

    They are those of `root/train` and `root/val`; or, where there is no `val`, a seeded share
    is held out, the same as by ``mmvitkd.ImageFolder``: of each class, or without classes of
    all images.

    Args:
        root: The folder; without classes also a text file with one path a line.
        val_ratio: The share to hold out.
        split_seed: Decides which images are held out.
        classes: Whether the folders in it are classes, if no image lies next to them.

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


def _unlabelled(found: UnlabelledFiles) -> ImageList:
    return ImageList(found.folder, tuple(found.paths), None, None)


def _split(images: ImageList, val_ratio: float, seed: int) -> tuple[ImageList, ImageList]:
    """Hold out a share of each class; a class of a single image has none held out."""
    assert images.labels is not None
    groups: dict[int, list[str]] = {}
    for label, path in zip(images.labels, images.paths, strict=True):
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
