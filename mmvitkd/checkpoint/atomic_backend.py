"""Make MMEngine write local files whole, read regular ones only, and end in cycles of links."""

import os.path as osp
from collections.abc import Iterator
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from ..utils.atomic_file import atomic_file
from ..utils.regular_file import check_regular
from ..utils.walk import walk_once
from .integrity import seal


class AtomicLocalBackend(LocalBackend):  # type: ignore[misc]  # MMEngine has no types
    """MMEngine's backend for local files, which writes a temporary file and renames it.

    MMEngine writes a checkpoint in place, and writes the newest one again when it turns out
    to be the best: an interruption there corrupts it. MMPretrain's data sets list and read
    their images here, too: a FIFO among them would block, and cycles of links multiply them.
    """

    def get(self, filepath: str | Path) -> bytes:
        """Read a regular file.

        Raises:
            NotRegularFileError: If it is a FIFO, a socket or a device.
        """
        check_regular(filepath)
        content: bytes = super().get(filepath)
        return content

    def list_dir_or_file(
        self,
        dir_path: str | Path,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """List a folder as MMEngine does; each folder below it once if ``recursive``."""
        for parent, _, _ in walk_once(str(dir_path)) if recursive else [(dir_path, [], [])]:
            below = osp.relpath(parent, dir_path)
            for path in super().list_dir_or_file(parent, list_dir, list_file, suffix):
                yield osp.normpath(osp.join(below, path))

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; the file has its old content or the new, never a part of it.

        The SHA-256 of a checkpoint is sealed in it.

        Args:
            obj: The content.
            filepath: The file to write; missing folders are created.
        """
        with atomic_file(filepath) as temporary:
            temporary.write_bytes(obj)
            if str(filepath).endswith('.pth'):
                seal(temporary)


# For every local path: checkpoints reach the backend through several of MMEngine's
# functions, not all of which let the caller choose one.
register_backend('local', AtomicLocalBackend, force=True, prefixes='')
