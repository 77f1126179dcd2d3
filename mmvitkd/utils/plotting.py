"""Share colours, axes style and saving among all figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `import mmvitkd` must not import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

from .atomic_file import atomic_file

INK, GREY = '#222222', '#8a8a8a'
COLORS = ('#4c4c4c', '#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9')


def plain(axes: Axes) -> Axes:
    """Remove the spines that carry no information."""
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(colors=GREY, labelcolor=INK, labelsize=9)
    return axes


def save(figure: Figure, path: Path) -> None:
    """Write a figure completely or not at all, as PNG or PDF by the suffix."""
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
