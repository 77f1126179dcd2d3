"""Draw rows of images with captions; the first column may stand apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ...utils.markdown import printable
from ...utils.plotting import COLORS, INK
from .figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 1.5  # inches
PIXELS = 256  # the longest side that is drawn
SMALL = 7
MAX_LETTERS = 22

# An image (H, W, 3) uint8 RGB, and its caption.
Captioned = tuple[np.ndarray, str]


def image_rows(
    rows: Sequence[Sequence[Captioned]], heading: str, frame_first: bool = True
) -> Figure:
    """Draw a row for each list of images.

    Args:
        rows: The rows, which may differ in length.
        heading: Above them.
        frame_first: Whether the first of each row has a frame.
    """
    columns = max(map(len, rows))
    figure = new_figure(SIDE * columns, (SIDE + 0.35) * len(rows) + 0.4)
    figure.suptitle(heading, fontsize=9, color=INK)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.axis('off')
    for line, row in zip(grid, rows, strict=True):
        for axes, (pixels, caption) in zip(line, row, strict=False):
            axes.imshow(_thumbnail(pixels), interpolation='nearest')
            axes.set_title(_shortened(caption), fontsize=SMALL, color=INK)
        if not frame_first:
            continue
        first = line[0]
        first.axis('on')
        first.set(xticks=[], yticks=[])
        for spine in first.spines.values():
            spine.set(color=COLORS[1], linewidth=2.5)
    return figure


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.thumbnail((PIXELS, PIXELS))
    return np.asarray(image)


def _shortened(caption: str) -> str:
    """Return the lines of a caption, the beginning of long ones left out."""
    lines = [
        line if len(line) <= MAX_LETTERS else f'…{line[1 - MAX_LETTERS :]}'
        for line in map(printable, caption.splitlines())
    ]
    return '\n'.join(lines).replace('$', r'\$')  # which would begin mathematics
