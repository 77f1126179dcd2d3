"""Draw the scores of runs over seeds, with means and intervals."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..utils.plotting import COLORS, GREY, INK, plain, save
from .statistics import Summary, paired_difference, summarize


def draw_seeds(
    scores: Mapping[str, Mapping[int, float]], reference: str, metric: str, path: Path
) -> None:
    """Draw the scores of every run, and next to them the differences to the reference.

    Args:
        scores: Scores by seed, by the name of the run, from top to bottom; a run without
            scores gets an empty row.
        reference: The name of the run to compare the others with.
        metric: The name of the metric, for the axis.
        path: The file to write, PNG or PDF by its suffix.
    """
    figure = Figure(figsize=(9.0, 1.5 + 0.45 * len(scores)), layout='constrained')
    left, right = (plain(axes) for axes in figure.subplots(1, 2, sharey=True))
    base = scores[reference]
    for place, (name, values) in enumerate(scores.items()):
        color = COLORS[place % len(COLORS)]
        if values:
            dots = list(values.values())
            _draw_row(left, place, dots, summarize(dots), color)
        difference = paired_difference(values, base)
        if name != reference and difference is not None:
            gaps = [values[seed] - base[seed] for seed in sorted(values.keys() & base.keys())]
            _draw_row(right, place, gaps, difference, color)
    right.axvline(0, color=GREY, linewidth=1, linestyle='--')
    left.set_yticks(range(len(scores)), list(scores))
    left.set_ylim(len(scores) - 0.5, -0.5)
    right.tick_params(axis='y', length=0)
    left.set_xlabel(metric)
    right.set_xlabel(f'difference to {reference}, same seed')
    title = 'one dot per seed; mean and 95 % interval'
    left.set_title(title, loc='left', fontsize=9, color=INK)
    save(figure, path)


def _draw_row(
    axes: Axes, place: int, values: list[float], summary: Summary, color: str
) -> None:
    """Draw the dots of a row, with mean and interval just below them."""
    axes.scatter(values, [place - 0.12] * len(values), color=color, s=20, alpha=0.65)
    axes.errorbar(
        summary.mean,
        place + 0.16,
        xerr=summary.half,
        fmt='D',
        markersize=4,
        color=INK,
        capsize=3,
        linewidth=1.2,
    )
