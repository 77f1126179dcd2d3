"""Figures of energy over channels and their frequencies: SEP, sorted energy, spectrum."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ..analysis.channel_energy import SortedChannelEnergy
from ..analysis.sep_null import null_tokens
from .figure import COLORS, GREY, plain
from .representation_panels import (
    BAND,
    LINE,
    NULL,
    OTHER,
    OWN,
    Blocks,
    curve,
    having,
    legend,
    named,
    shown,
    title,
)

SEP_CURVES = {
    'permuted': (OTHER, '--', 'channels permuted'),
    'null': (NULL, ':', 'random tokens'),
}
MODES = ('full', 'folded')
# Colours of blocks that share a panel.
OF_BLOCKS = COLORS[2], COLORS[3], COLORS[1]
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
    size = len(own['curve'])
    share = [100 * (k + 1) / size for k in range(size)]
    label = f'as it is, {b90(own)}'
    curve(above, share, own['curve'], own['std'], OWN, label)
    below.plot(share, above_diagonal(own['curve']), color=OWN, linewidth=LINE)
    for name, (color, style, label) in SEP_CURVES.items():
        other = sep.get(name)
        if other is None or len(other['curve']) != size:  # of the other mode
            continue
        label = f'{label}, {b90(other)}'
        percent = [100 * value for value in other['curve']]
        above.plot(share, percent, color=color, linewidth=LINE, linestyle=style, label=label)
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
    figure = Figure(figsize=(5.4, 3.6), layout='constrained')
    axes = plain(figure.add_subplot())
    for color, (key, block) in zip(_colors(chosen), chosen.items(), strict=True):
        energy = block['sorted_energy']
        width = len(energy['curve'])
        percent = [100 * value for value in energy['curve']]
        label = f'{named(key)}, {b90(energy)}'
        axes.plot(shares_of(width), percent, color=color, linewidth=LINE, label=label)
    for active, (style, name) in NULLS.items():
        energy = sorted_null(width, active)
        percent = [100 * value for value in energy['curve']]
        label = f'{name} tokens, {b90(energy)}'
        axes.plot(shares_of(width), percent, color=NULL, linestyle=style, label=label)
    axes.axhline(90, color=GREY, linewidth=0.8, linestyle=':')
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter('{x:g}')
    axes.set_xlim(right=100)
    axes.set_ylim(0, 101)
    axes.set_xlabel(f'share of the channels, those with most energy first, % of {width}')
    axes.set_ylabel("share of a token's energy, %")
    legend(axes, loc='lower right')
    return figure


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
    figure = Figure(figsize=(5.4, 3.4), layout='constrained')
    axes = plain(figure.add_subplot())
    for color, (key, block) in zip(_colors(chosen), chosen.items(), strict=True):
        spectrum = block['spectrum']
        half = spectrum[: len(spectrum) // 2 + 1]  # the rest mirrors it
        frequencies = [k / len(spectrum) for k in range(len(half))]
        axes.plot(frequencies, half, color=color, linewidth=1, label=named(key))
    axes.set_yscale('log')
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_minor_formatter('')
    axes.set_xlim(0, 0.5)
    axes.set_xlabel('frequency, cycles per channel')
    axes.set_ylabel("mean amplitude |FFT| / C, features' unit")
    legend(axes, loc='lower left', bbox_to_anchor=(0, 1), ncols=len(chosen))
    return figure


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


def _colors(blocks: Blocks) -> tuple[str, ...]:
    """A colour a block; the last block's is always the same."""
    return OF_BLOCKS[len(OF_BLOCKS) - len(blocks) :]
