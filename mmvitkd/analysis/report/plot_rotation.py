"""A figure of subspace rotation: principal angles, and overlaps beside random subspaces."""

from collections.abc import Mapping
from math import acos, degrees, sqrt
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...utils.plotting import plain
from .plot_utils import (
    BAND,
    LINE,
    NULL,
    OTHER,
    OWN,
    SMALL,
    Blocks,
    having,
    legend_below,
    named,
    shown,
    title,
)

AGAINST = {'pairs': (OWN, 'two images'), 'dataset': (OTHER, 'an image and the dataset')}


def draw_rotation(blocks: Blocks) -> Figure | None:
    """Angles above, overlaps below, for pairs of images and for images and the dataset.

    Args:
        blocks: Of a report.

    Returns:
        None if it was not measured.
    """
    chosen = shown(having(blocks, 'rotation'))
    if not chosen:
        return None
    figure = Figure(figsize=(1.0 + 3.4 * len(chosen), 5.6), layout='constrained')
    grid = figure.subplots(2, len(chosen), sharey='row', squeeze=False)
    for (above, below), (key, block) in zip(grid.T, chosen.items(), strict=True):
        rotation = block['rotation']
        title(plain(above), f'{named(key)}, subspaces of {rotation["d"]} directions')
        _draw_angles(above, rotation)
        _draw_overlaps(plain(below), rotation)
    grid[0, 0].set_ylabel('principal angle, degrees')
    grid[1, 0].set_ylabel('pairs, or images')
    # Curves may lie anywhere.
    legend_below(grid[0, 0], title='mean and s.d. of', ncols=min(3, len(chosen) + 1))
    return figure


def _draw_angles(axes: Axes, rotation: Mapping[str, Any]) -> None:
    for name, (color, label) in AGAINST.items():
        if name in rotation:
            angles = rotation[name]['angles']
            pairs = list(zip(angles['mean'], angles['std'], strict=True))
            low, high = [m - s for m, s in pairs], [m + s for m, s in pairs]
            x = range(1, len(pairs) + 1)
            axes.fill_between(x, low, high, color=color, alpha=BAND, linewidth=0)
            axes.plot(x, angles['mean'], 'o-', color=color, ms=3, linewidth=LINE, label=label)
    # The angle whose squared cosine is the mean one of random subspaces.
    random = degrees(acos(sqrt(rotation['null'])))
    axes.axhline(
        random, color=NULL, linewidth=1, linestyle=':', label='random subspaces, r.m.s.'
    )
    axes.set_ylim(0, 90)
    axes.set_yticks(range(0, 91, 15))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel('principal angle, the smallest first')


def _draw_overlaps(axes: Axes, rotation: Mapping[str, Any]) -> None:
    edges = [i / 40 for i in range(41)]
    for name, (color, _) in AGAINST.items():
        if name in rotation:
            counts, *_ = axes.hist(rotation[name]['overlaps'], edges, color=color, alpha=0.75)
            axes.update_datalim([(0, 1.15 * float(max(counts)))])  # room for a word
    axes.autoscale_view()
    null = rotation['null']
    axes.axvline(null, color=NULL, linewidth=1, linestyle=':')
    axes.annotate(
        f'random {null:.3f}',
        (null, 0.97),
        xycoords=axes.get_xaxis_transform(),
        xytext=(3, 0),
        textcoords='offset points',
        va='top',
        fontsize=SMALL,
        color=NULL,
    )
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel('overlap: mean squared cosine')
