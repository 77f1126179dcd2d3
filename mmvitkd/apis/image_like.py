"""Take images in the forms that a notebook has them: files, PIL images, arrays."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..datasets.transforms.load_image import is_16_bit, to_rgb

ImageLike = str | os.PathLike[str] | Image.Image | np.ndarray


def image_list(images: ImageLike | Sequence[ImageLike]) -> list[ImageLike]:
    """Return one image or several as a list, checked before any work is done.

    Args:
        images: One image or a list of them, each a file, a PIL image, or an array (H, W, 3) of
            uint8 in RGB.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If something is not an image.
        ValueError: If the list is empty, or an array has another shape or type.
    """
    single = isinstance(images, str | os.PathLike | Image.Image | np.ndarray)
    given: list[ImageLike] = [images] if single else list(images)  # type: ignore
    if not given:
        raise ValueError('images: the list is empty, wanted one image or more.')
    for index, image in enumerate(given):
        _check_image(image, f'images[{index}]')
    return given


def pixels_of(image: Image.Image | np.ndarray) -> np.ndarray:
    """Return the pixels of an image in memory as a pipeline takes them.

    Returns:
        (H, W, 3), uint8, BGR.
    """
    array = to_rgb(image) if isinstance(image, Image.Image) else image
    return np.ascontiguousarray(array[..., ::-1])


def _check_image(image: Any, name: str) -> None:
    """Check that something is an image, before any work is done."""
    if isinstance(image, str | os.PathLike):
        if not Path(image).is_file():
            raise FileNotFoundError(f'{name}={str(image)!r}: there is no such regular file.')
    elif isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(
                f'{name}: wanted an array (H, W, 3) of uint8 in RGB, found {image.shape} of '
                f'{image.dtype}.'
            )
    elif isinstance(image, Image.Image):
        try:
            is_16_bit(image)
        except ValueError as error:
            raise ValueError(f'{name}: a PIL image: {error}.') from None
    else:
        raise TypeError(
            f'{name}: wanted a path, a PIL image or an array, found {type(image).__name__}.'
        )
