"""Figures over a model's depth: dimensions, channels in use, the U shape, intensity."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...utils.plotting import plain
from .plot_utils import (
    BAND,
    LINE,
    OTHER,
    OWN,
    SMALL,
    Blocks,
    depth_axis,
    having,
    legend_below,
    one_panel,
    title,
)

THRESHOLD = '0.99'
DIMENSIONS = {'pca': (OTHER, "dataset's (PCA)"), 'svd': (OWN, "image's own (SVD)")}
U_SHAPE = {
    'entropy': ('token entropy', 'bits'),
    'activation_magnitude': ('activation magnitude', 'mean |A|'),
    'gradient_magnitude': ('gradient magnitude', 'mean |d score / d A|'),
}
IN_USE = {
    'effective_rank': ('effective rank of an image', 'directions'),
    'participation_ratio': ('participation ratio of a token', 'channels'),
}


def draw_layers(blocks: Blocks) -> Figure | None:
    """Directions that hold 99 % of an image's energy, block by block.

    Args:
        blocks: Of a report.

    Returns:
        None if fewer than two blocks say it.
    """
    chosen = {
        key: {m: block[m] for m in DIMENSIONS if THRESHOLD in block.get(m, {})}
        for key, block in blocks.items()
    }
    if sum(map(bool, chosen.values())) < 2:
        return None
    figure, axes = one_panel(6.0, 3.8)
    for measure, (color, label) in DIMENSIONS.items():
        keys = [key for key, block in chosen.items() if measure in block]
        summaries = [chosen[key][measure][THRESHOLD] for key in keys]
        if summaries:
            places = depth_axis(axes, keys)
            _draw_summaries(axes, places, summaries, 'median', color, label)
            p99 = [summary['p99'] for summary in summaries]
            axes.plot(places, p99, color=color, linewidth=1, linestyle=':')
            axes.annotate(
                '99th perc.',
                (places[-1], p99[-1]),
                xytext=(4, 0),
                textcoords='offset points',
                va='center',
                fontsize=SMALL,
                color=color,
            )
    _from_zero(axes)
    axes.set_ylabel('directions for 99 % of the energy')
    legend_below(axes, title='median and quartiles of images', ncols=2)
    return figure


def draw_u_shape(blocks: Blocks) -> Figure | None:
    """Entropy and magnitudes, block by block.

    Args:
        blocks: Of a report.

    Returns:
        None if no measure has two blocks.
    """
    return _draw_means(blocks, U_SHAPE)


def draw_in_use(blocks: Blocks) -> Figure | None:
    """Effective rank and participation ratio, block by block.

    Args:
        blocks: Of a report.

    Returns:
        None if no measure has two blocks.
    """
    figure = _draw_means(blocks, IN_USE)
    for axes in () if figure is None else figure.axes:
        _from_zero(axes)
    return figure


def draw_intensity(blocks: Blocks) -> Figure | None:
    """Frequency intensity, block by block.

    Args:
        blocks: Of a report.

    Returns:
        None if fewer than two blocks have it.
    """
    chosen = having(blocks, 'frequency_intensity')
    if len(chosen) < 2:
        return None
    figure, axes = one_panel(5.4, 3.2)
    values = [block['frequency_intensity'] for block in chosen.values()]
    places = depth_axis(axes, list(chosen))
    axes.plot(places, values, 'o-', color=OWN, ms=4, linewidth=LINE)
    _from_zero(axes)
    axes.set_ylabel("frequency intensity, features' unit")
    return figure


def _draw_means(blocks: Blocks, measures: dict[str, tuple[str, str]]) -> Figure | None:
    """A panel for each measure that has two blocks."""
    chosen = {name: having(blocks, name) for name in measures}
    chosen = {name: found for name, found in chosen.items() if len(found) > 1}
    if not chosen:
        return None
    figure = Figure(figsize=(1.0 + 3.6 * len(chosen), 3.4), layout='constrained')
    row = figure.subplots(1, len(chosen), squeeze=False)[0]
    for axes, (name, found) in zip(row, chosen.items(), strict=True):
        label, unit = measures[name]
        title(plain(axes), label)
        places = depth_axis(axes, list(found))
        summaries = [block[name] for block in found.values()]
        _draw_summaries(axes, places, summaries, 'mean', OWN, 'mean and quartiles of images')
        axes.set_ylabel(unit)
    legend_below(row[0])
    return figure


def _from_zero(axes: Axes) -> None:
    """Begin at 0, with room for the highest marker."""
    axes.update_datalim([(0, 0)], updatex=False)
    axes.margins(y=0.08)
    axes.set_ylim(bottom=0)


def _draw_summaries(
    axes: Axes,
    places: Sequence[int],
    summaries: Sequence[dict[str, Any]],
    middle: str,
    color: str,
    label: str,
) -> None:
    """Summaries over images: their middle as dots on a line, their quartiles as a band."""
    low, high = ([summary[key] for summary in summaries] for key in ('q25', 'q75'))
    axes.fill_between(places, low, high, color=color, alpha=BAND, linewidth=0)
    values = [summary[middle] for summary in summaries]
    axes.plot(places, values, 'o-', color=color, ms=4, linewidth=LINE, label=label)
