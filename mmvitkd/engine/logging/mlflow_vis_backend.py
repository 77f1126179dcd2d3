"""Let MLflow write files, and give it pictures and metrics by names that it takes."""

import os
import re
from typing import Any

import numpy as np
from mmengine.registry import VISBACKENDS
from mmengine.visualization import vis_backend

REFUSED = re.compile(r'[^\w./ -]')  # in the name of a metric


# In place of MMEngine's, for configs that name it.
@VISBACKENDS.register_module(force=True)
class MLflowVisBackend(vis_backend.MLflowVisBackend):  # type: ignore[misc]  # MMEngine is untyped
    """MMEngine's backend, with the extension that MLflow needs, and its letters in metrics.

    Without the step in its name, each picture would replace the one before. A store of files,
    which is MMEngine's default, is refused by MLflow 3 unless the environment allows it.
    """

    def _init_env(self) -> None:
        os.environ.setdefault('MLFLOW_ALLOW_FILE_STORE', 'true')
        super()._init_env()

    def add_image(
        self, name: str, image: np.ndarray[Any, Any], step: int = 0, **_: Any
    ) -> None:
        """Log a picture as ``<name>_<step>.png``.

        Args:
            name: Its name.
            image: RGB (H, W, 3), uint8.
            step: The iteration or epoch.
        """
        super().add_image(f'{name}_{step}.png', image, step)

    def add_scalar(self, name: str, value: Any, step: int = 0, **_: Any) -> None:
        """Log a metric."""
        super().add_scalar(_accepted(name), value, step)

    def add_scalars(
        self, scalar_dict: dict[str, Any], step: int = 0, *_: Any, **__: Any
    ) -> None:
        """Log metrics."""
        super().add_scalars({_accepted(k): v for k, v in scalar_dict.items()}, step)


def _accepted(name: str) -> str:
    """Return a name with ``_`` for what MLflow refuses."""
    return REFUSED.sub('_', name)
