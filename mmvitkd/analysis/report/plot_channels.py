"""Figures of energy over channels and their frequencies: SEP, sorted energy."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...utils.plotting import GREY, plain
from ..functional.channel_energy import SortedChannelEnergy
from ..functional.sep_null import null_tokens
from .plot_utils import (
    BAND,
    LINE,
    NULL,
    OTHER,
    OWN,
    Blocks,
    coloured,
    curve,
    having,
    legend,
    legend_below,
    named,
    one_panel,
    shown,
    title,
)

PERMUTED = (OTHER, '--', 'channels permuted')
RANDOM = (NULL, ':', 'random tokens')
# What each mode is shown beside.
MODES = {
    'full': {'permuted': PERMUTED, 'null': RANDOM},
    'folded': {'null_folded': RANDOM},
}
NULLS = {None: ('--', 'Gaussian'), 8: (':', '8-sparse')}


def draw_sep(blocks: Blocks) -> Figure | None:
    """SEP beside what has no structure; below, what is left of it.

    Nearly any curve looks like the diagonal: the lower panels show the difference.

    Args:
        blocks: Of a report.

    Returns:
        None if SEP was not measured.
    """
    measured = {k: b for k, b in having(blocks, 'sep').items() if b['sep'].keys() & {*MODES}}
    chosen = shown(measured)
    if not chosen:
        return None
    figure = Figure(figsize=(1.0 + 3.4 * len(chosen), 5.4), layout='constrained')
    grid = figure.subplots(2, len(chosen), sharex=True, sharey='row', squeeze=False)
    for (above, below), (key, block) in zip(grid.T, chosen.items(), strict=True):
        sep = block['sep']
        mode = next(mode for mode in MODES if mode in sep)
        title(plain(above), f'{named(key)}, {mode} spectrum')
        _draw_sep(above, plain(below), sep, mode)
        below.set_xlabel('share of the frequencies, %')
    grid[0, 0].set_ylabel("share of a token's energy, %")
    grid[1, 0].set_ylabel('above the diagonal, points')
    for axes in grid[0]:
        legend(axes, loc='upper left')
    if 'permuted' in next(iter(chosen.values()))['sep']:
        grid[1, 0].margins(y=0.2)
        legend(grid[1, 0], loc='upper right')
    return figure


def _draw_sep(above: Axes, below: Axes, sep: Mapping[str, Any], mode: str) -> None:
    own = sep[mode]
    share = shares_of(len(own['curve']))
    label = f'as it is, {b90(own)}'
    curve(above, share, own['curve'], own['std'], OWN, label)
    below.plot(share, above_diagonal(own['curve']), color=OWN, linewidth=LINE)
    for name, (color, style, label) in MODES[mode].items():
        if name not in sep:
            continue
        other = sep[name]
        plot_percent(above, other, f'{label}, {b90(other)}', color, style)
        rest = above_diagonal(other['curve'])
        below.plot(share, rest, color=color, linewidth=LINE, linestyle=style)
        if name == 'permuted':
            low = [r - 200 * s for r, s in zip(rest, other['std'], strict=True)]
            high = [r + 200 * s for r, s in zip(rest, other['std'], strict=True)]
            label = '2 s.d. of the permutations'
            below.fill_between(share, low, high, color=color, alpha=BAND, lw=0, label=label)


def draw_sorted_energy(blocks: Blocks) -> Figure | None:
    """Cumulated energy of a token's channels in falling order, beside random tokens.

    Args:
        blocks: Of a report.

    Returns:
        None if it was not measured.
    """
    chosen = shown(having(blocks, 'sorted_energy'))
    if not chosen:
        return None
    figure, axes = one_panel(5.4, 3.4)
    for color, key, block in coloured(chosen):
        energy = block['sorted_energy']
        plot_percent(axes, energy, f'{named(key)}, {b90(energy)}', color)
    widths = {len(block['sorted_energy']['curve']) for block in chosen.values()}
    width = len(energy['curve'])
    kind = f', D = {width}' if len(widths) > 1 else ' tokens'
    for active, (style, name) in NULLS.items():
        energy = sorted_null(width, active)
        label = f'{name}{kind}, {b90(energy)}'
        plot_percent(axes, energy, label, NULL, style)
    label_sorted(axes, '' if len(widths) > 1 else f' of {width}')
    return figure


def plot_percent(
    axes: Axes, shares: Mapping[str, Any], label: str, color: str, style: str = '-'
) -> None:
    """Draw a cumulated curve over the shares of its parts, both in percent."""
    percent = [100 * value for value in shares['curve']]
    x = shares_of(len(percent))
    axes.plot(x, percent, color=color, lw=LINE, linestyle=style, label=label)


def label_sorted(axes: Axes, of_width: str = '') -> None:
    """The axes and the legend of sorted energy, over the logarithm of the channels' share."""
    axes.axhline(90, color=GREY, linewidth=0.8, linestyle=':')
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter('{x:g}')
    axes.set_xlim(right=100)
    axes.set_ylim(0, 101)
    axes.set_xlabel(f'share of the channels, those with most energy first, %{of_width}')
    axes.set_ylabel("share of a token's energy, %")
    legend_below(axes, ncols=2)
    figure = axes.get_figure()
    figure.set_figheight(figure.get_figheight() + 0.1 * len(axes.lines))  # type: ignore[union-attr]


def sorted_null(width: int, active_channels: int | None) -> dict[str, Any]:
    """Sorted energy of random tokens in all channels, or in a few."""
    energy = SortedChannelEnergy()
    energy.update(null_tokens(width, 512, active_channels and min(active_channels, width)))
    return energy.result()


def b90(shares: Mapping[str, Any]) -> str:
    """The bandwidth at 90 %, if it is among the thresholds."""
    bandwidth = shares['bandwidth'].get('0.90')
    return '' if bandwidth is None else f'b90 {bandwidth:.3f}'


def above_diagonal(values: Sequence[float]) -> list[float]:
    """Percentage points by which a cumulated curve is above the diagonal."""
    return [100 * (value - (k + 1) / len(values)) for k, value in enumerate(values)]


def shares_of(width: int) -> list[float]:
    """Where the points of a cumulated curve lie, in percent of its parts."""
    return [100 * (k + 1) / width for k in range(width)]
