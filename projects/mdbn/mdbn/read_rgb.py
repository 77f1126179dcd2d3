"""Read an 8-bit image as RGB; refuse what would lose bits or transparency."""

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
    """Return what the conversion of an image to 8-bit RGB would lose, or None."""
    # Pillow's mode is 8-bit RGB for 16-bit colours, too: only the decoder's mode has the depth.
    decoders = [str(tile.args) for tile in getattr(image, 'tile', ())]
    if any(';16' in mode for mode in decoders) or image.mode.startswith(('I', 'F')):
        return f'more than 8 bits a channel (Pillow mode {image.mode}). {FIX}'
    if image.has_transparency_data:
        return f'transparency (Pillow mode {image.mode}). {FIX}, on a background of your choice'
    return None
