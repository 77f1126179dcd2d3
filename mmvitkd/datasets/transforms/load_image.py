"""Read an image of any kind as 8-bit BGR, or raise one kind of error."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, ClassVar

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from PIL import Image, ImageOps, UnidentifiedImageError

from ...registry import TRANSFORMS

LA_CANVAS = (124, 117, 104)  # mmcv's background of transparent grey images


class UnreadableImageError(ValueError):
    """Raised when an image cannot be read.

    Args:
        path: The image file.
        reason: Why it cannot be read.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f'{path}: {reason}')
        self.path = path
        self.reason = reason


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):  # type: ignore[misc]  # mmcv is untyped
    """MMPretrain's ``LoadImageFromFile`` for images that may be broken.

    Pillow decodes, as in MMPretrain with ``imdecode_backend='pillow'``: palette, CMYK, grey and
    transparent images become BGR, and the EXIF orientation is applied. Unlike there, 16-bit
    grey is divided by 256 instead of clipped to white, and an image that cannot be decoded
    raises an :class:`UnreadableImageError`, which ``ImageFolder`` handles.

    Required keys: ``img_path``. Added keys: ``img`` (H, W, 3) uint8, ``img_shape``,
    ``ori_shape``. A sample with an ``img`` does not change: MMPretrain's inferencers load the
    image themselves. A sample with ``blank_like``, a path, becomes a black image of that
    image's size.

    Args:
        backend_args: MMEngine's file backend; by default chosen by the path.
    """

    mmpretrain_equivalent: ClassVar[dict[str, Any]] = dict(
        type='LoadImageFromFile', imdecode_backend='pillow'
    )

    def __init__(self, backend_args: dict[str, Any] | None = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the image.

        Raises:
            UnreadableImageError: If it cannot be read.
        """
        if 'img' in results:
            return results
        blank_like = results.get('blank_like')
        image = read_image(blank_like or results['img_path'], self.backend_args)
        results['img'] = np.zeros_like(image) if blank_like else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(backend_args={self.backend_args})'


def read_image(path: str, backend_args: dict[str, Any] | None = None) -> np.ndarray:
    """Read a file as an array (H, W, 3), uint8, BGR.

    Raises:
        UnreadableImageError: If the file does not exist, is empty, truncated, no image or
            suspiciously large, or its pixels have no known range.
    """
    content = read_content(path, backend_args)
    with named_unreadable(path):
        return decode(content)


def read_content(path: str, backend_args: dict[str, Any] | None = None) -> bytes:
    """Read the bytes of an image's file.

    Raises:
        UnreadableImageError: If the file does not exist or is empty.
    """
    try:
        content: bytes = fileio.get(path, backend_args=backend_args)
    except OSError as error:
        raise UnreadableImageError(path, error.strerror or str(error)) from error
    if not content:
        raise UnreadableImageError(path, 'the file is empty')
    return content


@contextmanager
def named_unreadable(path: str) -> Iterator[None]:
    """Turn decoding errors into an ``UnreadableImageError`` that names the file."""
    try:
        yield
    except UnidentifiedImageError as error:
        raise UnreadableImageError(path, 'not an image format that Pillow supports') from error
    except MemoryError:
        raise
    except Exception as error:  # damaged files make Pillow's plugins raise all kinds
        raise UnreadableImageError(path, str(error) or type(error).__name__) from error


def decode(content: bytes) -> np.ndarray:
    """Decode the bytes of a file to (H, W, 3), uint8, BGR; errors are Pillow's."""
    with Image.open(BytesIO(content)) as image:
        # Pillow opens 16-bit PGM files as 32-bit integers.
        is_16_bit = image.mode.startswith('I;16') or (image.mode, image.format) == ('I', 'PPM')
        if not is_16_bit and image.mode in ('I', 'F'):
            kind = 'floating point' if image.mode == 'F' else '32-bit integer'
            raise ValueError(f'{kind} pixels have no known range; convert it to 8 or 16 bits')
        ImageOps.exif_transpose(image, in_place=True)
        if is_16_bit:
            high_byte = (np.asarray(image) >> 8).astype(np.uint8)
            return np.repeat(high_byte[..., None], 3, axis=-1)
        return cv2.cvtColor(np.asarray(_as_rgb(image)), cv2.COLOR_RGB2BGR)


def _as_rgb(image: Image.Image) -> Image.Image:
    """Convert as mmcv does, which would open the file again."""
    if image.mode == 'RGB':
        return image
    if image.mode != 'LA':
        return image.convert('RGB')
    canvas = Image.new('RGB', image.size, LA_CANVAS)
    canvas.paste(image.convert('RGBA'), mask=image.getchannel('A'))
    return canvas
