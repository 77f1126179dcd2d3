"""Draw the accuracies of training runs, and their losses over the epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from ..utils.plotting import COLORS, INK, plain, save


@dataclass(frozen=True)
class RunSummary:
    """The results of one training run.

    Attributes:
        name: Its name in tables and figures.
        top1: Accuracy in percent.
        losses: Curves by name; each has the mean loss of every epoch.
        parameters: Number of parameters.
        macs: Multiply-accumulates for one image.
        seconds: Wall-clock time of the training.
        color: Index into ``COLORS``.
    """

    name: str
    top1: float
    losses: dict[str, list[float]]
    parameters: int
    macs: int
    seconds: float
    color: int = 0


def half_interval(top1: float, images: int) -> float:
    """Return half of the 95 % interval of an accuracy, in points: normal approximation.

    Args:
        top1: Accuracy in percent.
        images: The number of images it was measured on.
    """
    p = top1 / 100
    return 196 * sqrt(p * (1 - p) / images)


def draw_accuracy(runs: Sequence[RunSummary], images: int, path: Path) -> None:
    """Draw a bar for each run, with the 95 % interval of one accuracy.

    Args:
        runs: The teacher first.
        images: The number of images the accuracy was measured on.
        path: The file to write, PNG or PDF by its suffix.
    """
    figure, axes = _axes(width=6.4)
    names = [run.name for run in runs][::-1]
    for place, run in enumerate(reversed(runs)):
        half = half_interval(run.top1, images)
        axes.barh(place, run.top1, color=COLORS[run.color], height=0.62)
        axes.errorbar(run.top1, place, xerr=half, color=INK, capsize=3, linewidth=1)
        axes.text(run.top1 + half + 0.3, place, f'{run.top1:.1f}', va='center', color=INK)
    lowest = min(run.top1 - half_interval(run.top1, images) for run in runs)
    left = 10 * (lowest // 10)
    axes.set_xlim(left, 100 + (100 - left) * 0.08)
    axes.set_xticks([tick for tick in axes.get_xticks() if left <= tick <= 100])
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(f'top-1 on {images:,} images, % (bars start at {left:.0f})')
    save(figure, path)


def draw_losses(runs: Sequence[RunSummary], path: Path) -> None:
    """Draw one panel per loss, with one curve per run.

    Args:
        runs: The runs; those without a loss are left out of its panel.
        path: The file to write, PNG or PDF by its suffix.
    """
    names = list(dict.fromkeys(name for run in runs for name in run.losses))
    figure = Figure(figsize=(4.6 * len(names), 3.6), layout='constrained')
    for place, name in enumerate(names):
        axes = plain(figure.add_subplot(1, len(names), place + 1))
        for run in (r for r in runs if name in r.losses):
            curve = run.losses[name]
            epochs = range(1, len(curve) + 1)
            axes.plot(epochs, curve, color=COLORS[run.color], label=run.name, linewidth=1.6)
        axes.set_yscale('log')
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter('{x:g}')
        axes.yaxis.set_minor_formatter('')
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel('epoch')
        axes.set_title(name, loc='left', fontsize=10, color=INK)
        axes.legend(frameon=False, fontsize=8)
    save(figure, path)


def _axes(width: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, 3.2), layout='constrained')
    return figure, plain(figure.add_subplot())
