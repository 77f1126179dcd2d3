"""Draw the directions that hold an image's energy: its own (SVD) or the dataset's (PCA)."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Any

from ...utils.plotting import GREY, INK, plain
from .depth import draw_summaries, from_zero
from .figure import Blocks, ReportFigure, integer_ticks, new_figure
from .model_overlays import MAX_BANDS, model_lines, model_panels
from .panels import (
    LINE,
    OTHER,
    OWN,
    SMALL,
    block_label,
    blocks_with,
    curve,
    depth_axis,
    legend,
    legend_below,
    one_panel,
    panels,
    sample_blocks,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWN = {'svd': (OWN, "image's own (SVD)"), 'pca': (OTHER, "dataset's (PCA)")}
THRESHOLD = '0.99'
BINS = 48


def draw_layers(blocks: Blocks) -> Figure | None:
    """Draw the directions that hold 99 % of an image's energy, block by block.

    Args:
        blocks: Blocks of a report.

    Returns:
        None if fewer than two blocks have it.
    """
    chosen = {
        key: {m: block[m] for m in DRAWN if THRESHOLD in block.get(m, {})}
        for key, block in blocks.items()
    }
    if sum(map(bool, chosen.values())) < 2:
        return None
    figure, axes = one_panel(6.0, 3.8)
    for measure in ('pca', 'svd'):
        color, label = DRAWN[measure]
        keys = [key for key, block in chosen.items() if measure in block]
        summaries = [chosen[key][measure][THRESHOLD] for key in keys]
        if summaries:
            places = depth_axis(axes, keys)
            draw_summaries(axes, places, summaries, 'median', color, label)
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
    from_zero(axes)
    axes.set_ylabel('directions for 99 % of the energy')
    legend_below(axes, title='median and quartiles of images', ncols=2)
    return figure


def draw_energy(blocks: Blocks) -> Figure | None:
    """Draw the mean share of an image's energy in its first directions, with its spread.

    Args:
        blocks: Blocks of a report.

    Returns:
        None if neither SVD nor PCA was measured.
    """
    chosen = sample_blocks(blocks_with(blocks, *DRAWN))
    if not chosen:
        return None
    figure, row = panels([block_label(key) for key in chosen])
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
    """Draw histograms over images of the last block's dimensions, with the 99th percentile.

    Args:
        blocks: Blocks of a report.

    Returns:
        None if the last block has no dimensions of single images.
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
    figure = new_figure(1.0 + 3.4 * columns, 5.2)
    grid = figure.subplots(ceil(len(thresholds) / columns), columns, squeeze=False)
    for axes, threshold in zip(grid.flat, thresholds, strict=False):
        title(plain(axes), f'{block_label(key)}: {100 * float(threshold):g} % of the energy')
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
    integer_ticks(axes.xaxis, axes.yaxis)
    high = axes.get_ylim()[1]
    axes.set_ylim(0, 1.25 * high)
    # The larger one on top, so that the other's line does not cross its label.
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


def overlay_energy(models: Blocks) -> Figure | None:
    """Draw SVD and dataset PCA: a panel each, a curve for each model.

    Args:
        models: One block of each model, by the names of the models.

    Returns:
        None if no model has either.
    """
    measures = {'svd': "an image's own directions (SVD)", 'pca': "the dataset's (PCA)"}
    measured = {m: heading for m, heading in measures.items() if blocks_with(models, m)}
    if not measured:
        return None
    figure, row = model_panels(list(measured.values()), sharey=True)
    for axes, measure in zip(row, measured, strict=True):
        for name, block, color, style in model_lines(models, measure):
            shares = block[measure]
            x = range(1, len(shares['curve']) + 1)
            if len(models) <= MAX_BANDS:
                curve(axes, x, shares['curve'], shares['std'], color, name, style)
            else:
                percent = [100 * value for value in shares['curve']]
                axes.plot(x, percent, color=color, label=name, lw=LINE, linestyle=style)
        axes.axhline(99, color=GREY, linewidth=0.8, linestyle=':')
        axes.set_xlim(left=0)
        axes.set_ylim(0, 101)
        axes.set_xlabel('directions')
        legend(axes, loc='lower right')
    row[0].set_ylabel("share of an image's energy, %")
    return figure


LAYERS = ReportFigure(
    'layers',
    'Directions, block by block',
    "How many directions hold 99 % of an image's energy: its own directions (SVD, uncentred) "
    'and those that all images share (PCA). Few of the former and many of the latter mean that '
    'every image lies in few directions, but each in different ones. N tokens have at most '
    'min(N, D) of their own: compare models with the same number of tokens.',
    draw_layers,
)
DIMENSIONS = ReportFigure(
    'dimensions',
    'Directions, image by image',
    'The same for the last block at every share of the energy. The published tables give the '
    '99th percentile over 1,000 images (arXiv 2511.15572); with few images, one or two unusual '
    'ones decide it.',
    draw_dimensions,
)
ENERGY = ReportFigure(
    'energy',
    'Energy over directions',
    "Mean share of an image's energy in its first directions. As published, the dataset's "
    'directions are fitted to the images that are then projected on them, which flatters PCA '
    'if there are few images; `held_out` in the settings says whether half were held out.',
    draw_energy,
    overlay_energy,
)
