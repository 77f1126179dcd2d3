"""Draw several models in one figure: a colour and style for each, and a matrix of CKA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...utils.plotting import COLORS, plain
from .figure import Blocks, new_figure
from .panels import title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours and styles of the models; grey is for nulls.
MODEL_COLORS = (*COLORS[1:], '#d55e00', '#7a4f9a')
STYLES = ('-', '--', '-.')
# Up to this many models, each has a band of one standard deviation; more would hide curves.
MAX_BANDS = 4


def model_lines(models: Blocks, entry: str) -> Iterator[tuple[str, Any, str, str]]:
    """Yield name, block, colour and style of each model that has an entry.

    Colour and style are a model's own in every figure.
    """
    for index, (name, block) in enumerate(models.items()):
        if entry in block:
            color = MODEL_COLORS[index % len(MODEL_COLORS)]
            yield name, block, color, STYLES[index % len(STYLES)]


def model_panels(names: Sequence[str], sharey: bool) -> tuple[Figure, list[Axes]]:
    """Return a figure with a titled panel for each name, side by side."""
    figure = new_figure(1.0 + 4.2 * len(names), 3.6)
    row = figure.subplots(1, len(names), sharey=sharey, squeeze=False)[0]
    for axes, name in zip(row, names, strict=True):
        title(plain(axes), name)
    return figure, list(row)


def draw_matrix(labels: Sequence[str], matrix: Sequence[Sequence[float]]) -> Figure:
    """Draw linear CKA between models as a map with numbers.

    Args:
        labels: The names of the models.
        matrix: (models, models), in [0, 1].
    """
    side = 1.2 + 0.75 * len(labels) + 0.07 * max(map(len, labels))  # inches, with the labels
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
