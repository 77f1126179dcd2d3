"""Generate an image with smooth colours, as in a photograph."""

import numpy as np
from PIL import Image


def smooth_image(width=72, height=56, seed=0):
    """Return an RGB Pillow image, different for each seed."""
    shape = (height // 8, width // 8, 3)
    noise = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
