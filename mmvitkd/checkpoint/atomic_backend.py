"""Make MMEngine write local files whole or not at all."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from ..utils.atomic_file import atomic_file
from .integrity import seal


class AtomicLocalBackend(LocalBackend):  # type: ignore[misc]  # MMEngine has no types
    """MMEngine's backend for local files, which writes a temporary file and renames it.

    MMEngine writes a checkpoint in place, and writes the newest one again when it turns out
    to be the best: an interruption there corrupts it.
    """

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
