"""Walk through a folder along links, and through each folder below it once."""

import os
from collections.abc import Callable, Iterator
from typing import NoReturn


def walk_once(
    top: str, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk as ``os.walk(top, followlinks=True)`` does, in sorted order.

    A folder that several links lead to is entered once, by the first name in this order: links
    that form a cycle end there.

    Args:
        top: The folder.
        wanted: Whether to enter a folder and to list a file of this name.

    Yields:
        The path of a folder, the names of the folders to enter next, the names of its files.

    Raises:
        OSError: If a folder cannot be listed.
    """
    seen = {_identity(top)}
    for parent, folders, files in os.walk(top, followlinks=True, onerror=_raise):
        new = []
        for name in sorted(filter(wanted, folders)):
            identity = _identity(os.path.join(parent, name))
            if identity not in seen:
                seen.add(identity)
                new.append(name)
        folders[:] = new
        yield parent, folders, sorted(filter(wanted, files))


def _identity(folder: str) -> tuple[int, int]:
    """Return what two paths to the same folder share."""
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def _raise(error: OSError) -> NoReturn:
    raise error
