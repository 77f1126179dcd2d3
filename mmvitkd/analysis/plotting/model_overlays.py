"""Figures of several models: a colour and style for each, a matrix of CKA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...utils.plotting import COLORS, plain
from .figure import Blocks, new_figure
from .panels import title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours and styles of the models; grey is for what has no structure.
OF_MODELS = (*COLORS[1:], '#d55e00', '#7a4f9a')
STYLES = ('-', '--', '-.')
# Models up to which each has a band of a standard deviation; of more they hide the curves.
BANDS = 4


def model_lines(models: Blocks, entry: str) -> Iterator[tuple[str, Any, str, str]]:
    """Yield name, block, colour and style of the models with an entry; the same everywhere."""
    for place, (name, block) in enumerate(models.items()):
        if entry in block:
            color, style = OF_MODELS[place % len(OF_MODELS)], STYLES[place % len(STYLES)]
            yield name, block, color, style


def model_panels(names: Sequence[str], sharey: bool) -> tuple[Figure, list[Axes]]:
    """Return a figure with a titled panel for each name, side by side."""
    figure = new_figure(1.0 + 4.2 * len(names), 3.6)
    row = figure.subplots(1, len(names), sharey=sharey, squeeze=False)[0]
    for axes, name in zip(row, names, strict=True):
        title(plain(axes), name)
    return figure, list(row)


def draw_matrix(labels: Sequence[str], matrix: Sequence[Sequence[float]]) -> Figure:
    """Draw linear CKA between models, as a map with its numbers.

    Args:
        labels: The models.
        matrix: (models, models), in [0, 1].
    """
    side = 1.2 + 0.75 * len(labels) + 0.07 * max(map(len, labels))  # inches; labels take some
    figure = new_figure(side + 1.2, side)
    axes = figure.add_subplot()
    image = axes.imshow(matrix, vmin=0, vmax=1, cmap='cividis')
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            ink = 'black' if value > 0.45 else 'white'
            axes.text(j, i, f'{value:.2f}', ha='center', va='center', color=ink, fontsize=9)
    places = range(len(labels))
    axes.set_xticks(places, labels, rotation=45, ha='right', rotation_mode='anchor')
    axes.set_yticks(places, labels)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label='linear CKA', shrink=0.8).outline.set_visible(False)
    return figure
