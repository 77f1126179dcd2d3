"""Draw maps of saliency: a row per model, its input and a column per method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...utils.plotting import INK
from .figure import new_figure
from .panels import SMALL, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {
    'vanilla': 'gradient',
    'smoothgrad': 'SmoothGrad',
    'integrated': 'Integrated Gradients',
}


class SaliencyRow(NamedTuple):
    """What a model looks at in an image.

    Attributes:
        label: The name of the model, and the class whose logit the maps explain.
        image: Its input, (H, W, 3), RGB in [0, 1].
        maps: (H, W), not negative, by method.
    """

    label: str
    image: np.ndarray
    maps: Mapping[str, np.ndarray]


def draw_saliency(rows: Sequence[SaliencyRow]) -> Figure:
    """Draw the maps of several models for one image, each relative to its own largest value."""
    methods = list(rows[0].maps)
    figure = new_figure(1.0 + 2.1 * (1 + len(methods)), 0.4 + 2.2 * len(rows))
    grid = figure.subplots(len(rows), 1 + len(methods), squeeze=False)
    for line, row in zip(grid, rows, strict=True):
        line[0].imshow(row.image)
        line[0].set_ylabel(row.label, fontsize=SMALL, color=INK)
        for axes, method in zip(line[1:], methods, strict=True):
            found = row.maps[method]
            drawn = axes.imshow(found / max(found.max(), 1e-30), cmap='inferno', vmin=0, vmax=1)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for axes, name in zip(grid[0], ['input', *(TITLES[m] for m in methods)], strict=True):
        title(axes, name)
    bar = figure.colorbar(drawn, ax=grid[:, -1], label="share of the map's largest value")
    bar.outline.set_visible(False)
    return figure
