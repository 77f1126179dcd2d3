"""A figure of the channel spectrum: mean amplitude at each frequency over the channels."""

from collections.abc import Sequence
from math import log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from .plot_utils import Blocks, coloured, having, legend, named, one_panel, shown


def draw_spectrum(blocks: Blocks) -> Figure | None:
    """Mean amplitude at each frequency over the channels.

    Args:
        blocks: Of a report.

    Returns:
        None if it was not measured.
    """
    chosen = shown(having(blocks, 'spectrum'))
    if not chosen:
        return None
    figure, axes = one_panel(5.4, 3.4)
    halves = []
    for color, key, block in coloured(chosen):
        spectrum = block['spectrum']
        half = spectrum[: len(spectrum) // 2 + 1]  # the rest mirrors it
        frequencies = [k / len(spectrum) for k in range(len(half))]
        axes.plot(frequencies, half, color=color, linewidth=1, label=named(key))
        halves.append(half)
    _scale(axes, halves)
    axes.set_xlim(0, 0.5)
    axes.set_xlabel('frequency, cycles per channel')
    axes.set_ylabel("mean amplitude |FFT| / C, features' unit")
    legend(axes, loc='lower left', bbox_to_anchor=(0, 1), ncols=len(chosen))
    return figure


def _scale(axes: Axes, halves: Sequence[Sequence[float]]) -> None:
    """A logarithmic axis, unless all is 0; frequency 0 may lie below it.

    A LayerNorm takes the mean of the channels off, and what rounding leaves at frequency 0
    would press the rest together.
    """
    others = [value for half in halves for value in half[1:] if value > 0]
    if not others:
        axes.set_ylim(bottom=0)
        return
    low, high = 0.7 * min(others), 1.4 * max(map(max, halves))
    subs = (1, 2, 5) if log10(high / low) < 2 else (1,)
    axes.set_yscale('log')
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_minor_formatter('')
