"""Writing files whole or not at all."""

import os
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local files, written under a temporary name and renamed.

    MMEngine writes a checkpoint in place, and writes the newest one again when it turns out
    to be the best: whoever is interrupted there has lost it.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes; the file under this name is the old one or the new one, never half.

        Args:
            obj: The content.
            filepath: Where to; folders on the way are made.
        """
        target = Path(filepath)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f'.{target.name}.tmp')
        try:
            with open(temporary, 'wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


# For every local path: checkpoints reach the backend through several of MMEngine's
# functions, not all of which let the caller choose one.
register_backend('local', AtomicLocalBackend, force=True, prefixes='')
