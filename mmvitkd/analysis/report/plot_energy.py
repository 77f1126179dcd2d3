"""Figures of energy over directions: per-image SVD beside dataset PCA."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...utils.plotting import GREY, INK, plain
from .plot_utils import (
    OTHER,
    OWN,
    SMALL,
    Blocks,
    curve,
    having,
    legend,
    named,
    panels,
    shown,
    title,
)

DRAWN = {'svd': (OWN, "image's own (SVD)"), 'pca': (OTHER, "dataset's (PCA)")}
BINS = 48


def draw_energy(blocks: Blocks) -> Figure | None:
    """Mean share of an image's energy in its first directions, with the images' spread.

    Args:
        blocks: Of a report.

    Returns:
        None if neither SVD nor PCA was measured.
    """
    chosen = shown(having(blocks, *DRAWN))
    if not chosen:
        return None
    figure, row = panels([named(key) for key in chosen])
    for axes, block in zip(row, chosen.values(), strict=True):
        for measure, (color, label) in DRAWN.items():
            if measure in block:
                shares = block[measure]
                x = range(1, len(shares['curve']) + 1)
                curve(axes, x, shares['curve'], shares['std'], color, label)
        axes.axhline(99, color=GREY, linewidth=0.8, linestyle=':')
        axes.set_xlabel('directions')
        axes.set_xlim(left=0)
        axes.set_ylim(0, 101)
    row[0].set_ylabel("share of an image's energy, %")
    legend(row[0], loc='lower right', title='mean and s.d. over images', title_fontsize=SMALL)
    return figure


def draw_dimensions(blocks: Blocks) -> Figure | None:
    """Histograms over images of the last block's dimensions, with the 99th percentile.

    Args:
        blocks: Of a report.

    Returns:
        None if no measure of the last block says the dimensions image by image.
    """
    key = list(blocks)[-1]
    measures = {
        measure: blocks[key][measure]
        for measure in DRAWN
        if 'dimensions' in blocks[key].get(measure, {})
    }
    if not measures:
        return None
    thresholds = list(next(iter(measures.values()))['dimensions'])
    columns = ceil(len(thresholds) / 2)
    figure = Figure(figsize=(1.0 + 3.4 * columns, 5.2), layout='constrained')
    grid = figure.subplots(ceil(len(thresholds) / columns), columns, squeeze=False)
    for axes, threshold in zip(grid.flat, thresholds, strict=False):
        title(plain(axes), f'{named(key)}: {100 * float(threshold):g} % of the energy')
        _draw_histograms(axes, measures, threshold)
    for axes in grid[-1]:
        axes.set_xlabel('directions needed')
    for axes in grid[:, 0]:
        axes.set_ylabel('images')
    for axes in grid.flat[len(thresholds) :]:
        axes.set_visible(False)
    handles = grid.flat[0].get_legend_handles_labels()
    figure.legend(*handles, loc='outside upper right', ncols=2, frameon=False, fontsize=SMALL)
    return figure


def _draw_histograms(
    axes: Axes, measures: Mapping[str, Mapping[str, Any]], threshold: str
) -> None:
    most = max(max(shares['dimensions'][threshold]) for shares in measures.values())
    width = ceil(most / BINS)
    edges = [0.5 + width * i for i in range(ceil(most / width) + 1)]
    for measure, shares in measures.items():
        color, label = DRAWN[measure]
        axes.hist(shares['dimensions'][threshold], edges, color=color, alpha=0.75, label=label)
    axes.set_xlim(left=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    high = axes.get_ylim()[1]
    axes.set_ylim(0, 1.25 * high)
    # The larger on top: its word would be crossed by the line of the other.
    p99s = {measure: shares[threshold]['p99'] for measure, shares in measures.items()}
    for place, measure in enumerate(sorted(p99s, key=lambda m: p99s[m], reverse=True)):
        p99, top = p99s[measure], high * (1.16 - 0.1 * place)
        axes.plot([p99, p99], [0, top], color=INK, linewidth=1, linestyle='--')
        axes.annotate(
            f'99th percentile {p99:.4g}',
            (p99, top),
            xytext=(-3 if p99 > 0.6 * most else 3, 0),
            textcoords='offset points',
            ha='right' if p99 > 0.6 * most else 'left',
            va='top',
            fontsize=SMALL,
            color=DRAWN[measure][0],
            bbox=dict(facecolor='white', edgecolor='none', pad=0.5),
        )
