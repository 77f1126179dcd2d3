"""Draw figures over a model's depth: means or medians of measures, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...utils.plotting import plain
from .figure import Blocks, ReportFigure, new_figure
from .panels import BAND, LINE, OWN, blocks_with, depth_axis, legend_below, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

U_SHAPE_PANELS = {
    'entropy': ('token entropy', 'bits'),
    'activation_magnitude': ('activation magnitude', 'mean |A|'),
    'gradient_magnitude': ('gradient magnitude', 'mean |d score / d A|'),
}
IN_USE_PANELS = {
    'effective_rank': ('effective rank of an image', 'directions'),
    'participation_ratio': ('participation ratio of a token', 'channels'),
}


def draw_u_shape(blocks: Blocks) -> Figure | None:
    """Draw entropy and magnitudes; return None if none of them has two blocks."""
    return draw_means(blocks, U_SHAPE_PANELS)


def draw_in_use(blocks: Blocks) -> Figure | None:
    """Draw effective rank and participation ratio; return None if neither has two blocks."""
    figure = draw_means(blocks, IN_USE_PANELS)
    for axes in () if figure is None else figure.axes:
        from_zero(axes)
    return figure


U_SHAPE = ReportFigure(
    'u_shape',
    'Entropy and magnitude',
    "arXiv 2511.06848 finds that both fall and then rise over CaiT's blocks. The entropy's 100 "
    'bins lie between the smallest and the largest value of all blocks and images: one large '
    'activation widens all bins, and a report of other blocks has other bins. At the last '
    'block of a model that classifies its class token, the gradient of the patches is 0.',
    draw_u_shape,
)
IN_USE = ReportFigure(
    'in_use',
    'Directions and channels in use',
    "Effective rank: exponential of the entropy of an image's singular values. Participation "
    "ratio: (sum e)^2 / sum e^2 over a token's channel energies e; 1 for one-hot tokens, about "
    'D / 3 for Gaussian ones.',
    draw_in_use,
)


def draw_means(blocks: Blocks, panels: Mapping[str, tuple[str, str]]) -> Figure | None:
    """Draw a panel for each entry that two blocks or more have.

    Args:
        blocks: Blocks of a report.
        panels: Titles and units by the keys of entries, which are summaries over images.

    Returns:
        None if there is no such entry.
    """
    chosen = {name: blocks_with(blocks, name) for name in panels}
    chosen = {name: found for name, found in chosen.items() if len(found) > 1}
    if not chosen:
        return None
    figure = new_figure(1.0 + 3.6 * len(chosen), 3.4)
    row = figure.subplots(1, len(chosen), squeeze=False)[0]
    for axes, (name, found) in zip(row, chosen.items(), strict=True):
        label, unit = panels[name]
        title(plain(axes), label)
        places = depth_axis(axes, list(found))
        summaries = [block[name] for block in found.values()]
        draw_summaries(axes, places, summaries, 'mean', OWN, 'mean and quartiles of images')
        axes.set_ylabel(unit)
    legend_below(row[0])
    return figure


def from_zero(axes: Axes) -> None:
    """Start the vertical axis at 0, with room for the highest marker."""
    axes.update_datalim([(0, 0)], updatex=False)
    axes.margins(y=0.08)
    axes.set_ylim(bottom=0)


def draw_summaries(
    axes: Axes,
    places: Sequence[int],
    summaries: Sequence[dict[str, Any]],
    middle: str,
    color: str,
    label: str,
) -> None:
    """Draw the middle of summaries as dots on a line, and their quartiles as a band."""
    low, high = ([summary[key] for summary in summaries] for key in ('q25', 'q75'))
    axes.fill_between(places, low, high, color=color, alpha=BAND, linewidth=0)
    values = [summary[middle] for summary in summaries]
    axes.plot(places, values, 'o-', color=color, ms=4, linewidth=LINE, label=label)
