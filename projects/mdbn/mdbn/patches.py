"""Cut and augment patches of an image and of its small version."""

from collections.abc import Callable

import numpy as np

from .bicubic import round_to_8_bit, shrink

# The bicubic kernel reaches less than this many pixels of the small image.
REACH = 2
STEPS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    np.flipud,
    np.fliplr,
    lambda image: image.swapaxes(0, 1),
)


def shrink_to_8_bit(image: np.ndarray, scale: int) -> np.ndarray:
    """Make the small version of an image of 8 bits: (H, W, C), uint8."""
    return round_to_8_bit(shrink(image, scale))


def small_patch(hr: np.ndarray, scale: int, top: int, left: int, size: int) -> np.ndarray:
    """Return a patch of the small version of an image, without making all of that.

    Args:
        hr: The image, (H, W, C), uint8.
        scale: How many times smaller its small version is.
        top: The first row, in pixels of the small version.
        left: The first column.
        size: The side of the patch.

    Returns:
        (size, size, C), uint8: equal to the same pixels of :func:`shrink_to_8_bit`.
    """
    above, before = min(REACH, top), min(REACH, left)
    around = hr[
        scale * (top - above) : scale * (top + size + REACH),
        scale * (left - before) : scale * (left + size + REACH),
    ]
    return shrink_to_8_bit(around, scale)[above : above + size, before : before + size]


def augment(*images: np.ndarray) -> tuple[np.ndarray, ...]:
    """Flip images along each side, and transpose them, with a chance of one half each.

    All images get the same, by numpy's global random numbers.
    """
    for step in STEPS:
        if np.random.randint(2):
            images = tuple(step(image) for image in images)
    return images
