"""Read an image of any kind as 8-bit BGR, or raise one kind of error."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any, ClassVar

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from PIL import Image, ImageOps, UnidentifiedImageError, features

from ...registry import TRANSFORMS
from ...utils.errors import KeyedValueError

# What an image may hold, whatever its name: formats that Pillow decodes in this process. Others
# may start programs, as EPS starts Ghostscript.
FORMATS: tuple[str, ...] = ('JPEG', 'PNG', 'WEBP', 'BMP', 'PPM', 'TIFF', 'GIF', 'JPEG2000')
if 'avif' in features.modules:  # since Pillow 11.3
    FORMATS += ('AVIF',)
# The default limit, below the 89,478,485 at which Pillow warns. Decoding takes about ten bytes
# a pixel.
MAX_PIXELS = 64_000_000


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

    Pillow decodes, and :func:`to_rgb` converts, to BGR, with pixels that are equal to those of
    MMPretrain's loader (OpenCV) for all usual kinds of files. An image that cannot be decoded
    raises an :class:`UnreadableImageError`, which ``ImageFolder`` handles.

    Required keys: ``img_path``. Added keys: ``img`` (H, W, 3) uint8, ``img_shape``,
    ``ori_shape``. A sample with an ``img`` does not change: MMPretrain's inferencers load the
    image themselves. A sample with ``blank_like``, a path, becomes a black image of that
    image's size.

    Args:
        backend_args: MMEngine's file backend; by default chosen by the path.
        max_pixels: The largest number of pixels; an image with more is not decoded.

    Raises:
        ValueError: If ``max_pixels`` is not a positive number.
    """

    mmpretrain_equivalent: ClassVar[dict[str, Any]] = dict(
        type='LoadImageFromFile', imdecode_backend='cv2'
    )
    mmpretrain_lacks = ('max_pixels',)

    def __init__(
        self, backend_args: dict[str, Any] | None = None, max_pixels: int = MAX_PIXELS
    ) -> None:
        check_max_pixels(max_pixels)
        self.backend_args = backend_args
        self.max_pixels = max_pixels

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the image.

        Raises:
            UnreadableImageError: If it cannot be read.
        """
        if 'img' in results:
            return results
        blank_like = results.get('blank_like')
        path = blank_like or results['img_path']
        image = read_image(path, self.backend_args, self.max_pixels)
        results['img'] = np.zeros_like(image) if blank_like else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(backend_args={self.backend_args}, '
            f'max_pixels={self.max_pixels})'
        )


def check_max_pixels(max_pixels: float) -> None:
    """Check the number of pixels that an image may have.

    Raises:
        KeyedValueError: If it is not a positive number.
    """
    if not isinstance(max_pixels, int | float) or not max_pixels > 0:
        raise KeyedValueError(
            f'{{max_pixels}}={max_pixels!r}: wanted a positive number.', 'max_pixels'
        )


def read_image(
    path: str, backend_args: dict[str, Any] | None = None, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Read a file as an array (H, W, 3), uint8, BGR.

    Raises:
        UnreadableImageError: If the file does not exist, is not a regular one, empty,
            truncated or no image, has more than ``max_pixels``, or its pixels have no known
            range.
    """
    content = read_content(path, backend_args)
    with named_unreadable(path):
        return decode(content, max_pixels)


def check_image(path: str, max_pixels: int = MAX_PIXELS) -> None:
    """Check the size of an image before another loader decodes it.

    Raises:
        UnreadableImageError: If the file cannot be read, or has more than ``max_pixels`` in a
            format that Pillow knows.
    """
    content = read_content(path)
    with named_unreadable(path), suppress(UnidentifiedImageError):
        open_image(content, max_pixels).close()


def read_content(path: str, backend_args: dict[str, Any] | None = None) -> bytes:
    """Read the bytes of an image's file.

    Raises:
        UnreadableImageError: If the file does not exist, is not a regular one or is empty.
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
        raise UnreadableImageError(
            path, f'not an image: wanted {", ".join(FORMATS)}'
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # damaged files make Pillow's plugins raise all kinds
        raise UnreadableImageError(path, str(error) or type(error).__name__) from error


def open_image(content: bytes, max_pixels: int) -> Image.Image:
    """Open the bytes of a file, without decoding its pixels.

    Raises:
        ValueError: If it has more than ``max_pixels``.
        Exception: Whatever Pillow raises if it cannot open the file.
    """
    # Pillow's own limit holds for the whole process, and is in the way of a higher one.
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, int(max_pixels))
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:  # names the number of pixels
        raise ValueError(f'{str(error).rstrip(".")}; max_pixels={max_pixels}') from None
    number = image.width * image.height
    if number > max_pixels:
        raise ValueError(f'{number} pixels, more than max_pixels={max_pixels}')
    return image


def decode(content: bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode the bytes of a file to (H, W, 3), uint8, BGR; errors as in ``open_image``."""
    with open_image(content, max_pixels) as image:
        return cv2.cvtColor(to_rgb(image, in_place=True), cv2.COLOR_RGB2BGR)


def to_rgb(image: Image.Image, in_place: bool = False) -> np.ndarray:
    """Convert an image of any kind to 8-bit RGB: the one conversion of this package.

    The EXIF orientation is applied; grey, palette and CMYK images become RGB; of 16 bits the
    upper 8 are kept; transparency is dropped, which leaves the colours below it. timm and
    torchvision do the same, except for 16-bit grey, which they clip to white.

    Args:
        image: The image, which may not be decoded yet.
        in_place: Whether it may be turned in place, which takes less memory.

    Returns:
        (H, W, 3), uint8.

    Raises:
        ValueError: If the pixels are 32-bit integers or floating point.
    """
    deep = is_16_bit(image)
    if in_place:
        ImageOps.exif_transpose(image, in_place=True)
    else:
        image = ImageOps.exif_transpose(image)
    if deep:
        upper = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(upper[..., None], 3, axis=-1)
    return np.asarray(image if image.mode == 'RGB' else image.convert('RGB'))


def is_16_bit(image: Image.Image) -> bool:
    """Return whether an image is grey of 16 bits; Pillow opens other deep ones with 8.

    Raises:
        ValueError: If its pixels are 32-bit integers or floating point.
    """
    # Pillow opens 16-bit PGM files as 32-bit integers.
    if image.mode.startswith('I;16') or (image.mode, image.format) == ('I', 'PPM'):
        return True
    if image.mode in ('I', 'F'):
        kind = 'floating point' if image.mode == 'F' else '32-bit integer'
        raise ValueError(f'{kind} pixels have no known range; convert it to 8 or 16 bits')
    return False
