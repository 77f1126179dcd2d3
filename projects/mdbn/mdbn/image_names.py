"""List the images of a folder that a setting names, or refuse it."""

import os.path as osp

from mmvitkd.datasets.unlabelled_files import images_below
from mmvitkd.utils.errors import KeyedFileNotFoundError, KeyedValueError


def image_names(folder: str, key: str) -> list[str]:
    """List the images below a folder, sorted and relative to it.

    Args:
        folder: The folder.
        key: The setting that names it, for the message.

    Raises:
        KeyedFileNotFoundError: If there is no such folder.
        KeyedValueError: If there is no image in it.
    """
    if not osp.isdir(folder):
        raise KeyedFileNotFoundError(f'{{{key}}}={folder!r}: there is no such folder.', key)
    names, _ = images_below(folder)
    if not names:
        raise KeyedValueError(f'{{{key}}}={folder!r}: there is no image in it.', key)
    return names
