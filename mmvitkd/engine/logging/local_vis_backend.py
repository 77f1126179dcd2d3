"""Write pictures, scalars and configs whole or not at all, and raise if they cannot be."""

import os
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.fileio import dump
from mmengine.registry import VISBACKENDS
from mmengine.visualization import vis_backend
from mmengine.visualization.vis_backend import force_init_env

from ...utils.atomic_file import atomic_file
from ...utils.disk_full import report_disk_full


# In place of MMEngine's, for configs that name it.
@VISBACKENDS.register_module(force=True)
class LocalVisBackend(vis_backend.LocalVisBackend):  # type: ignore[misc]  # MMEngine is untyped
    """MMEngine's backend, which leaves nothing half when the disk is full.

    MMEngine's leaves half a line, to which the next one is added, and half a picture without
    an error.
    """

    @force_init_env  # type: ignore[untyped-decorator]
    def add_config(self, config: Config, **kwargs: Any) -> None:
        """Write the config."""
        with atomic_file(self._config_save_file) as temporary:
            config.dump(str(temporary))

    @force_init_env  # type: ignore[untyped-decorator]
    def add_image(
        self, name: str, image: np.ndarray[Any, Any], step: int = 0, **_: Any
    ) -> None:
        """Write a picture.

        Args:
            name: Its name; the file is ``<name>_<step>.png``.
            image: RGB (H, W, 3) or RGBA, uint8.
            step: The iteration or epoch.
        """
        png = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
        with atomic_file(f'{self._img_save_dir}/{name}_{step}.png') as temporary:
            temporary.write_bytes(png.tobytes())

    def _dump(self, value_dict: dict[str, Any], file_path: str, file_format: str) -> None:
        """Add a line to a file."""
        line = (dump(value_dict, file_format=file_format) + '\n').encode()
        with report_disk_full(file_path), open(file_path, 'ab', buffering=0) as file:
            end = file.tell()
            try:
                while line:
                    line = line[file.write(line) :]
            except OSError:
                os.ftruncate(file.fileno(), end)
                raise
