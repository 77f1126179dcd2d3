"""A figure of spectral energy patterns: student, teacher and null, layer by layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ...utils.plotting import COLORS, GREY, INK, plain

# Of one layer: the curve of each mode ('full', 'folded') of each source.
Curves = Mapping[str, Mapping[str, Sequence[float]]]
STYLES: dict[str, dict[str, Any]] = {
    'student': dict(label='student', color=COLORS[1], linewidth=1.8),
    'teacher': dict(label='teacher', color=COLORS[2], linewidth=1.8),
    'null': dict(label='null: random vectors', color=GREY, linewidth=1.2, linestyle='--'),
}
INCHES, DPI = (3.6, 2.7), 100


def sep_image(layers: Mapping[str, Curves], thresholds: Sequence[float]) -> np.ndarray:
    """Draw a row for each layer and a column for each mode.

    Args:
        layers: By the layer's title, 'student', 'null' and, where there is one, 'teacher';
            of each, by mode, the share of a token's energy that its first 1, 2, ..., K
            frequencies hold.
        thresholds: Shares of the energy to mark, from which bandwidths are read.

    Returns:
        The image, (H, W, 3), RGB, uint8.
    """
    modes = list(next(iter(next(iter(layers.values())).values())))
    width, height = INCHES
    figure = Figure(figsize=(width * len(modes), height * len(layers)), layout='constrained')
    axes = figure.subplots(len(layers), len(modes), squeeze=False, sharex=True, sharey=True)
    for row, (title, curves) in zip(axes, layers.items(), strict=True):
        for place, mode in zip(row, modes, strict=True):
            plain(place).set_title(f'{title}, {mode}', loc='left', fontsize=8, color=INK)
            _draw(place, {name: found[mode] for name, found in curves.items()}, thresholds)
        row[0].set_ylabel('share of the energy', fontsize=8)
    for place in axes[-1]:
        place.set_xlabel('share of the frequencies, from DC up', fontsize=8)
    axes[0, 0].legend(frameon=False, fontsize=8, loc='lower right')
    return _pixels(figure)


def _draw(
    axes: Axes, curves: Mapping[str, Sequence[float]], thresholds: Sequence[float]
) -> None:
    """The curves from the origin on, so that what DC holds is seen as a step."""
    for name, curve in curves.items():
        places = np.arange(len(curve) + 1) / len(curve)
        axes.plot(places, [0, *curve], **STYLES[name])
    for threshold in thresholds:
        axes.axhline(threshold, color=GREY, linewidth=0.4, alpha=0.5)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)


def _pixels(figure: Figure) -> np.ndarray:
    """What a figure looks like, without a file or a window."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
