"""Name images and read them in batches: those of a list, or all of a folder."""

import os
import os.path as osp
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from torch import Tensor

from ..analysis.features.loaded_model import Preprocess
from ..analysis.runner.image_bars import image_bars
from ..analysis.runner.measure_runner import Watch
from ..datasets.folder_layout import EXTENSIONS
from ..datasets.image_batches import ImageBatches
from ..datasets.image_list import ImageList
from ..datasets.unlabelled_files import images_below
from .image_like import ImageLike, image_list, pixels_of


class NamedImages(NamedTuple):
    """Images that may be read.

    Attributes:
        names: The file of each; ``'images[3]'`` for the fourth of a list if that is no file.
        in_memory: The pixels (H, W, 3), uint8, BGR, of those that are no files, by name.
        is_folder: Whether they are those of a folder.
    """

    names: list[str]
    in_memory: dict[str, np.ndarray]
    is_folder: bool

    @classmethod
    def of(cls, images: ImageLike | Sequence[ImageLike]) -> 'NamedImages':
        """Name images.

        Args:
            images: A folder, of which all images at any depth are taken, sorted by path; or one
                image or a list of them, each a file, a PIL image, or an array (H, W, 3) of
                uint8 in RGB.

        Raises:
            FileNotFoundError: If there is no such file or folder.
            TypeError: If something is not an image.
            ValueError: If there is no image, or an array has another shape or type.
        """
        folder = _folder(images)
        if folder is not None:
            return cls(_files_below(folder), {}, True)
        names, in_memory = [], {}
        for index, image in enumerate(image_list(images)):
            if isinstance(image, str | os.PathLike):
                names.append(str(image))
            else:
                names.append(f'images[{index}]')
                in_memory[names[-1]] = pixels_of(image)
        return cls(names, in_memory, False)

    def batches(
        self, preprocess: Preprocess, batch_size: int, num_workers: int
    ) -> ImageBatches:
        """Return the images in batches, as a model takes them."""
        images = ImageList('', tuple(self.names), None, None)
        return ImageBatches(images, _Read(preprocess, self.in_memory), batch_size, num_workers)

    @contextmanager
    def bar(self, is_shown: bool | None) -> Iterator[Watch]:
        """Yield what wraps the batches: a progress bar, by default for a folder, or nothing."""
        if not (self.is_folder if is_shown is None else is_shown):
            yield lambda batches, name: batches
            return
        with image_bars(len(self.names), Console(stderr=True)) as watch:
            yield watch


def check_batch_size(batch_size: int) -> None:
    """Check the size of a batch, before a model is loaded.

    Raises:
        ValueError: If it is below 1.
    """
    if batch_size < 1:
        raise ValueError(f'batch_size={batch_size}: wanted 1 or more.')


def _folder(images: Any) -> str | None:
    """Return the path of a folder; None for anything else."""
    if not isinstance(images, str | os.PathLike):
        return None
    path = osp.expanduser(str(images))
    return path if osp.isdir(path) else None


def _files_below(folder: str) -> list[str]:
    """Return the paths of all images in a folder."""
    found, _ = images_below(folder)
    if not found:
        raise ValueError(
            f'images={folder!r}: there is no image ({", ".join(EXTENSIONS)}) in this folder.'
        )
    return [osp.join(folder, path) for path in found]


class _Read:
    """Reads an image by its name."""

    def __init__(self, preprocess: Preprocess, in_memory: dict[str, np.ndarray]) -> None:
        self.preprocess, self.in_memory = preprocess, in_memory

    def __call__(self, name: str) -> Tensor:
        return self.preprocess(self.in_memory.get(name, name))
