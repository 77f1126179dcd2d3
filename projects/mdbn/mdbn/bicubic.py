"""Resize images by the antialiased bicubic of MATLAB's ``imresize``, in double precision.

That is the result for an image of class double, as BasicSR's scripts use it. For one of class
uint8, MATLAB itself rounds after each side.
"""

from fractions import Fraction
from functools import lru_cache
from math import ceil

import numpy as np
from scipy.sparse import csr_array


def shrink(image: np.ndarray, scale: int) -> np.ndarray:
    """Make an image ``scale`` times smaller.

    Args:
        image: (H, W) or (H, W, C).
        scale: How many pixels become one, along each side.

    Returns:
        float64, (ceil(H / scale), ceil(W / scale)) or with C, in the unit of the image. The
        values are not rounded, and may lie beyond the range of the image.
    """
    return _resize(image, Fraction(1, scale))


def enlarge_bicubic(image: np.ndarray, scale: int) -> np.ndarray:
    """Make an image ``scale`` times larger; otherwise as :func:`shrink`."""
    return _resize(image, Fraction(scale))


def round_to_8_bit(image: np.ndarray) -> np.ndarray:
    """Round values from 0 to 255 to uint8 as MATLAB does, halves up; clip the others."""
    out: np.ndarray = np.floor(np.clip(image, 0, 255) + 0.5).astype(np.uint8)
    return out


def _resize(image: np.ndarray, factor: Fraction) -> np.ndarray:
    for length in image.shape[:2]:  # each time along the first side, which becomes the second
        rows: np.ndarray = _weights(length, factor) @ image.reshape(length, -1)
        image = rows.reshape(-1, *image.shape[1:]).swapaxes(0, 1)
    return image


@lru_cache(maxsize=128)
def _weights(length: int, factor: Fraction) -> csr_array:
    """Return the matrix that resizes one side: each output is a mean of nearby inputs.

    Beyond the ends, the image is mirrored, with its last pixel twice.
    """
    stretch = max(1.0, float(1 / factor))  # of the kernel, against aliasing
    out = np.arange(ceil(length * factor))
    centre = (out + 0.5) / float(factor) - 0.5
    first = np.floor(centre - 2 * stretch).astype(int)
    taps = first[:, None] + np.arange(ceil(4 * stretch) + 2)
    weights = _cubic((centre[:, None] - taps) / stretch)
    weights /= weights.sum(1, keepdims=True)
    mirrored = taps % (2 * length)
    mirrored = np.minimum(mirrored, 2 * length - 1 - mirrored)
    places = np.broadcast_to(out[:, None], taps.shape)
    # Entries of one place, as of a pixel and its mirror image, are added.
    return csr_array(
        (weights.ravel(), (places.ravel(), mirrored.ravel())), shape=(len(out), length)
    )


def _cubic(x: np.ndarray) -> np.ndarray:
    """Return the cubic convolution kernel with a = -0.5 (Keys 1981)."""
    x = np.abs(x)
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, inner, np.where(x < 2, outer, 0.0))
