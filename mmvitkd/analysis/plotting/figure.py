"""Define a figure of a report: its name, its caption, and the functions that draw it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Entries of a report by the names of its blocks, or in a comparison by those of models.
Blocks = Mapping[str, Mapping[str, Any]]
Draw = Callable[[Blocks], 'Figure | None']
# From the reports of several models, by the names of the models.
DrawDepths = Callable[[Mapping[str, Mapping[str, Any]]], 'Figure | None']
# From the entries of 'student' and, if there is one, 'teacher', by layer title.
DrawTraining = Callable[[Mapping[str, Blocks]], 'Figure']


class ReportFigure(NamedTuple):
    """A figure that one or more measures list; a report draws it once.

    Attributes:
        name: The name of its files, ``figures/<name>.png`` and ``.pdf``.
        heading: The heading above it in ``report.md``.
        caption: How to read it.
        draw: Draws it from the blocks of a report; returns None if there is nothing to draw.
            None for a figure of comparisons only.
        overlay: Draws it for a comparison of models, from one block of each.
        training: Draws it for the layers of a training.
        depths: Draws it for a comparison of models, from the report of each.
    """

    name: str
    heading: str
    caption: str
    draw: Draw | None
    overlay: Draw | None = None
    training: DrawTraining | None = None
    depths: DrawDepths | None = None


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, without a window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout='constrained')


def integer_ticks(*axes: Axis) -> None:
    """Put ticks at integers only."""
    from matplotlib.ticker import MaxNLocator

    for axis in axes:
        axis.set_major_locator(MaxNLocator(integer=True))


def pixels(figure: Figure, dpi: int = 100) -> np.ndarray:
    """Render a figure as an image, (H, W, 3), RGB, uint8, without a file or a window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    rgb: np.ndarray = rgba[..., :3].copy()
    return rgb
