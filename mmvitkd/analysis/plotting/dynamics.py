"""Draw how numbers of a model's blocks change over its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...utils.plotting import GREY, INK, plain
from .figure import new_figure
from .panels import LINE, depth_axis, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Titles and units of columns of the table of blocks; others have their own name for both.
PANELS = {
    'entropy, bits': ('token entropy', 'bits'),
    'intensity': ('frequency intensity', "mean |FFT| / C, features' unit"),
    'activation': ('activation magnitude', "mean |A|, features' unit"),
}
# The lightest yellows of the colour map are hard to see on white.
LIGHTEST = 0.92


def draw_dynamics(
    numbers: Mapping[int, Mapping[str, Mapping[str, float]]], columns: Sequence[str]
) -> Figure:
    """Draw a panel per column: a line over the blocks for each epoch, the last one darkest.

    Args:
        numbers: For each epoch the numbers of its blocks: by key, then by column.
        columns: The columns to draw.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    epochs = sorted(numbers)
    shades = colormaps['viridis'](
        [LIGHTEST * (1 - i / max(len(epochs) - 1, 1)) for i in range(len(epochs))]
    )
    figure = new_figure(1.4 + 3.6 * len(columns), 3.4)
    row = figure.subplots(1, len(columns), squeeze=False)[0]
    for axes, column in zip(row, columns, strict=True):
        name, unit = PANELS.get(column, (column, column))
        title(plain(axes), name)
        for color, epoch in zip(shades, epochs, strict=True):
            blocks = {
                key: each[column] for key, each in numbers[epoch].items() if column in each
            }
            places = depth_axis(axes, list(blocks))
            axes.plot(places, [*blocks.values()], 'o-', color=color, ms=3, linewidth=LINE)
        axes.set_ylabel(unit)
    scale = ScalarMappable(Normalize(0, len(epochs)), ListedColormap(list(shades)))
    bar = figure.colorbar(scale, ax=list(row), label='epoch', aspect=30)
    step = 1 + (len(epochs) - 1) // 12  # no more ticks than fit
    shown = list(range(len(epochs) - 1, -1, -step))
    bar.set_ticks([i + 0.5 for i in shown], labels=[str(epochs[i]) for i in shown])
    bar.ax.tick_params(colors=GREY, labelcolor=INK, labelsize=9, length=0)
    bar.outline.set_visible(False)
    return figure
