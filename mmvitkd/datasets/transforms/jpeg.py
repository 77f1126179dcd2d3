"""Decode JPEG files with OpenCV to Pillow's pixels, faster, or at a reduced scale."""

import cv2
import numpy as np
from PIL import ExifTags

from .load_image import MAX_PIXELS, open_image

REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def jpeg_shape(content: bytes, max_pixels: int = MAX_PIXELS) -> tuple[int, int] | None:
    """Return (H, W) of a complete and upright JPEG, grey or RGB.

    Returns:
        None for any other file, which Pillow must decode: OpenCV fills in what a truncated
        image lacks, and converts CMYK differently.

    Raises:
        ValueError: If it has more than ``max_pixels``.
        Exception: Whatever Pillow raises if it cannot open the file.
    """
    if not (content.startswith(b'\xff\xd8') and content.endswith(b'\xff\xd9')):
        return None
    with open_image(content, max_pixels) as image:
        upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        if image.format != 'JPEG' or image.mode not in ('L', 'RGB') or not upright:
            return None
        return image.height, image.width


def decode_jpeg(content: bytes, reduction: int = 1) -> np.ndarray | None:
    """Decode a file that :func:`jpeg_shape` accepts, with its shape (H, W).

    Args:
        content: The file's bytes.
        reduction: r, one of 1, 2, 4 and 8. libjpeg skips the high frequencies of each block
            of 8 x 8 pixels, so that one pixel stands for r x r.

    Returns:
        (ceil(H / r), ceil(W / r), 3), uint8, BGR; None if OpenCV cannot decode it.
    """
    flags = REDUCED[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None


def reduction_of(crop: tuple[int, int], target: tuple[int, int], reserve: float) -> int:
    """Return the largest reduction at which a crop is ``reserve`` times its target's size.

    Args:
        crop: (H, W) in pixels of the image.
        target: (H, W) that the crop will be resized to.
        reserve: The minimum ratio of the reduced crop's sides to the target's.
    """
    reserves = (reserve * target[0], reserve * target[1])
    fits = (r for r in REDUCED if crop[0] >= r * reserves[0] and crop[1] >= r * reserves[1])
    return max(fits, default=1)
