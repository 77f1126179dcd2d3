"""Read an 8-bit image as RGB; refuse what would lose bits or transparency."""

from typing import Any

from mmvitkd.datasets.transforms.load_image import (
    MAX_PIXELS,
    UnreadableImageError,
    named_unreadable,
    open_image,
    read_content,
    to_rgb,
)

import numpy as np
from PIL import Image

FIX = 'Fix: convert it to 8-bit RGB or grey'


def read_rgb(path: str) -> np.ndarray:
    """Read a file as RGB, (H, W, 3), uint8; a grey image has three equal channels.

    Raises:
        UnreadableImageError: If the file cannot be read, or has 16 bits a channel or
            transparency, which super-resolution would not return.
    """
    content = read_content(path)
    with named_unreadable(path):
        image = open_image(content, MAX_PIXELS)
    if reason := lost_in_rgb(image):
        raise UnreadableImageError(path, f'it has {reason}')
    with named_unreadable(path), image:
        return to_rgb(image, in_place=True)


def lost_in_rgb(image: Image.Image) -> str | None:
    """Return what the conversion of an image to 8-bit RGB would lose, or None.

    Once Pillow has loaded colours of 16 bits they have 8, and nothing shows it any more.
    """
    # Pillow's mode is 8-bit RGB for 16-bit colours, too: only the decoder's mode has the depth.
    tiles = getattr(image, 'tile', ())
    is_deep = any(';16' in str(tile.args) or _is_deep_ppm(tile) for tile in tiles)
    if is_deep or image.mode.startswith(('I', 'F')):
        return f'more than 8 bits a channel (Pillow mode {image.mode}). {FIX}'
    if image.has_transparency_data:
        return f'transparency (Pillow mode {image.mode}). {FIX}, on a background of your choice'
    return None


def _is_deep_ppm(tile: Any) -> bool:
    # The decoder of other maxima than 255, of binary or plain files, gets the mode and this.
    return bool(tile.codec_name.startswith('ppm') and tile.args[1] > 255)
