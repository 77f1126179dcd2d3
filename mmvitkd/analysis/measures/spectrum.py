"""The measure 'spectrum': mean amplitude over channel frequencies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log10
from typing import TYPE_CHECKING, Any

from ...registry import MEASURES
from ..functional.channel_spectrum import ChannelSpectrum
from ..plotting.depth import from_zero
from ..plotting.figure import Blocks, ReportFigure
from ..plotting.model_overlays import model_lines, model_panels
from ..plotting.panels import (
    LINE,
    OWN,
    block_label,
    blocks_with,
    depth_axis,
    legend,
    legend_below,
    one_panel,
    sample_blocks,
    with_colors,
)
from .base import Entry, Measure, Table
from .block import Batch, Block
from .shared_tables import MEANS_NOTE, SUMMARIES, SUMMARY, UNIT_NOTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPECTRA = Table('spectra', ('k', 'amplitude'))


def spectrum_rows(block: Entry) -> Iterator[tuple[Any, ...]]:
    """Yield the mean amplitude at each frequency, from 0."""
    yield from enumerate(block.get('spectrum', ()))


def intensity_rows(block: Entry) -> Iterator[tuple[Any, ...]]:
    """Yield the frequency intensity, a single number over all images."""
    if 'frequency_intensity' in block:
        value = block['frequency_intensity']
        yield 'frequency_intensity', value, *[''] * (len(SUMMARY) - 1)


def draw_spectrum(blocks: Blocks) -> Figure | None:
    """Draw the mean amplitude at each frequency over the channels.

    Args:
        blocks: Blocks of a report.

    Returns:
        None if it was not measured.
    """
    chosen = sample_blocks(blocks_with(blocks, 'spectrum'))
    if not chosen:
        return None
    figure, axes = one_panel(5.4, 3.4)
    halves = []
    for color, key, block in with_colors(chosen):
        spectrum = block['spectrum']
        half = spectrum[: len(spectrum) // 2 + 1]  # the rest mirrors it
        frequencies = [k / len(spectrum) for k in range(len(half))]
        axes.plot(frequencies, half, color=color, linewidth=1, label=block_label(key))
        halves.append(half)
    _scale(axes, halves)
    axes.set_xlim(0, 0.5)
    axes.set_xlabel('frequency, cycles per channel')
    axes.set_ylabel("mean amplitude |FFT| / C, features' unit")
    legend(axes, loc='lower left', bbox_to_anchor=(0, 1), ncols=len(chosen))
    return figure


def _scale(axes: Axes, halves: Sequence[Sequence[float]]) -> None:
    """Set a logarithmic axis, unless all values are 0; frequency 0 may lie below it.

    A LayerNorm subtracts the mean of the channels; the rounding error that it leaves at
    frequency 0 would squeeze the other values.
    """
    others = [value for half in halves for value in half[1:] if value > 0]
    if not others:
        axes.set_ylim(bottom=0)
        return
    from matplotlib.ticker import LogLocator

    low, high = 0.7 * min(others), 1.4 * max(map(max, halves))
    subs = (1, 2, 5) if log10(high / low) < 2 else (1,)
    axes.set_yscale('log')
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_minor_formatter('')


def draw_intensity(blocks: Blocks) -> Figure | None:
    """Draw the frequency intensity, block by block.

    Args:
        blocks: Blocks of a report.

    Returns:
        None if fewer than two blocks have it.
    """
    chosen = blocks_with(blocks, 'frequency_intensity')
    if len(chosen) < 2:
        return None
    figure, axes = one_panel(5.4, 3.2)
    values = [block['frequency_intensity'] for block in chosen.values()]
    places = depth_axis(axes, list(chosen))
    axes.plot(places, values, 'o-', color=OWN, ms=4, linewidth=LINE)
    from_zero(axes)
    axes.set_ylabel("frequency intensity, features' unit")
    return figure


def draw_intensities(models: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    """Draw the frequency intensity of several models over their depth, and its shape.

    Args:
        models: The reports of the models, by name.

    Returns:
        None if no model has it at two blocks or more.
    """
    found = {name: _over_depth(report) for name, report in models.items()}
    if not any(found.values()):
        return None
    names = ['frequency intensity', 'its shape']
    figure, (left, right) = model_panels(names, sharey=False)
    for name, block, color, style in model_lines(found, 'intensity'):
        depth, values = block['intensity']
        how: dict[str, Any] = dict(color=color, ms=4, linewidth=LINE, linestyle=style)
        left.plot(depth, values, marker='o', label=name, **how)
        right.plot(depth, [100 * v / (max(values) or 1) for v in values], marker='o', **how)
    for axes in (left, right):
        axes.set_xlabel('depth, % of the blocks')
        from_zero(axes)
    left.set_ylabel("mean |FFT| / C, features' unit")
    right.set_ylabel('% of its largest value')
    legend_below(left, ncols=4)
    return figure


def _over_depth(report: Mapping[str, Any]) -> dict[str, tuple[list[float], list[float]]]:
    """Return depths and intensities of the blocks alone, if there are two or more."""
    measured = blocks_with(report['blocks'], 'frequency_intensity')
    indices = sorted(int(key) for key in measured if key.isdigit())
    if len(indices) < 2:
        return {}
    num_blocks = report.get('num_blocks') or indices[-1] + 1  # older reports lack it
    depth = [100 * (index + 1) / num_blocks for index in indices]
    return {'intensity': (depth, [measured[str(i)]['frequency_intensity'] for i in indices])}


SPECTRUM = ReportFigure(
    'spectrum',
    'Channel spectrum',
    'Mean amplitude at each frequency over the channels (arXiv 2511.06848); half of it, the '
    'other half mirrors it. It is in the unit of the features and scales with them. After a '
    'LayerNorm it is nearly 0 at frequency 0, where the curve leaves the axis.',
    draw_spectrum,
)
INTENSITY = ReportFigure(
    'intensity',
    'Frequency intensity',
    'The mean of that spectrum, by which SpectralKD chooses layers (arXiv 2412.19055); '
    '`choose_layers.py` turns it into pairs. It scales with the features, so compare models by '
    'its shape over the blocks, not by its height.',
    draw_intensity,
    depths=draw_intensities,
)


@MEASURES.register_module()
class SpectrumMeasure(Measure):
    """Channel spectrum and its mean, the frequency intensity."""

    name = 'spectrum'
    meaning = 'mean amplitude over channel frequencies'
    entries = ('spectrum', 'frequency_intensity')
    columns = {'intensity': lambda block: block['frequency_intensity']}
    column_note = MEANS_NOTE
    comparison_note = UNIT_NOTE
    tables = {SPECTRA: spectrum_rows, SUMMARIES: intensity_rows}
    figures = (SPECTRUM, INTENSITY)
    scalars = {'intensity': columns['intensity']}

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._spectrum = ChannelSpectrum()

    def update(self, batch: Batch) -> None:
        """Add a batch."""
        self._spectrum.update(batch.double)

    def result(self) -> dict[str, Any]:
        """Return the result of ``ChannelSpectrum``."""
        return self._spectrum.result()
