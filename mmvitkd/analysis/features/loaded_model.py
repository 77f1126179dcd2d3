"""Define a loaded model, ready to be measured, with its preprocessing."""

from typing import NamedTuple, Protocol

import numpy as np
from torch import Tensor, nn


class Preprocess(Protocol):
    """Read an image as a model's input.

    Attributes:
        size: (H, W) of the input, in pixels.
    """

    size: tuple[int, int]

    def __call__(self, image: str | np.ndarray) -> Tensor:
        """Return (3, H, W), float32, normalised for the model.

        Args:
            image: A file, or pixels (H, W, 3), uint8, BGR.
        """


class LoadedModel(NamedTuple):
    """A model that is ready to be measured.

    Attributes:
        model: A classifier or an ``ImageEncoder`` in eval mode, on the CPU, which takes
            normalised images (B, 3, H, W).
        preprocess: Reads an image as (3, H, W), normalised for the model, as in the
            model's own evaluation; ``size`` is its (H, W) in pixels. Needs no GPU.
        provenance: A description of the model, and of the source of its weights.
        is_random: Whether no weights were loaded.
    """

    model: nn.Module
    preprocess: Preprocess
    provenance: str
    is_random: bool = False
