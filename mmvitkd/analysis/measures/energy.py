"""The measure 'energy': the number of channels that hold a token's energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...registry import MEASURES
from ...utils.plotting import GREY
from ..functional.channel_energy import ParticipationRatio, SortedChannelEnergy
from ..functional.sep_null import null_tokens
from ..plotting.cumulative import b90, plot_percent
from ..plotting.depth import IN_USE
from ..plotting.figure import Blocks, ReportFigure
from ..plotting.model_overlays import model_lines
from ..plotting.panels import (
    NULL,
    block_label,
    blocks_with,
    legend_below,
    one_panel,
    sample_blocks,
    with_colors,
)
from . import shared_tables as shared
from .base import Measure
from .block import Batch, Block

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {'sorted_energy': 'sorted_energy'}
# Line style and name of random tokens, by their number of active channels.
NULLS: dict[int | None, tuple[str, str]] = {None: ('--', 'Gaussian'), 8: (':', '8-sparse')}


def draw_sorted_energy(blocks: Blocks) -> Figure | None:
    """Draw the cumulative energy of a token's channels, strongest first, with random tokens.

    Args:
        blocks: Blocks of a report.

    Returns:
        None if it was not measured.
    """
    chosen = sample_blocks(blocks_with(blocks, 'sorted_energy'))
    if not chosen:
        return None
    figure, axes = one_panel(5.4, 3.4)
    for color, key, block in with_colors(chosen):
        energy = block['sorted_energy']
        plot_percent(axes, energy, f'{block_label(key)}, {b90(energy)}', color)
    widths = {len(block['sorted_energy']['curve']) for block in chosen.values()}
    width = len(energy['curve'])
    kind = f', D = {width}' if len(widths) > 1 else ' tokens'
    for active, (style, name) in NULLS.items():
        energy = sorted_null(width, active)
        plot_percent(axes, energy, f'{name}{kind}, {b90(energy)}', NULL, style)
    _label(axes, '' if len(widths) > 1 else f' of {width}')
    return figure


def overlay_sorted_energy(models: Blocks) -> Figure | None:
    """Draw the same curves for a block of several models, with Gaussian tokens.

    Args:
        models: One block of each model, by the names of the models.

    Returns:
        None if no model has it.
    """
    if not blocks_with(models, 'sorted_energy'):
        return None
    figure, axes = one_panel(5.4, 3.4)
    width = 0
    for name, block, color, style in model_lines(models, 'sorted_energy'):
        energy = block['sorted_energy']
        width = max(width, len(energy['curve']))
        plot_percent(axes, energy, f'{name}, {b90(energy)}', color, style)
    style, null = NULLS[None]
    energy = sorted_null(width, None)
    plot_percent(axes, energy, f'{null} tokens, {b90(energy)}', NULL, style)
    _label(axes)
    return figure


def sorted_null(width: int, active_channels: int | None) -> dict[str, Any]:
    """Return the sorted energy of random tokens in all channels, or in a few."""
    energy = SortedChannelEnergy()
    energy.update(null_tokens(width, 512, active_channels and min(active_channels, width)))
    return energy.result()


def _label(axes: Axes, of_width: str = '') -> None:
    """Label the axes, the horizontal one logarithmic, and add a legend."""
    axes.axhline(90, color=GREY, linewidth=0.8, linestyle=':')
    axes.set_xscale('log')
    axes.xaxis.set_major_formatter('{x:g}')
    axes.set_xlim(right=100)
    axes.set_ylim(0, 101)
    axes.set_xlabel(f'share of the channels, those with most energy first, %{of_width}')
    axes.set_ylabel("share of a token's energy, %")
    legend_below(axes, ncols=2)
    figure: Any = axes.get_figure()
    figure.set_figheight(figure.get_figheight() + 0.1 * len(axes.lines))


SORTED_ENERGY = ReportFigure(
    'sorted_energy',
    'Sorted channel energy',
    "Cumulative energy of a token's channels, the strongest first, without any FFT: the order "
    'of the channels does not matter. For one-hot, 8-sparse and Gaussian tokens, 90 % lie in '
    '0.003, 0.013 and 0.45 of 384 channels.',
    draw_sorted_energy,
    overlay_sorted_energy,
)


@MEASURES.register_module()
class EnergyMeasure(Measure):
    """Sorted channel energy and participation ratio, which no channel order can change."""

    name = 'energy'
    meaning = "channels that hold a token's energy"
    entries = ('sorted_energy', 'participation_ratio')
    columns = {
        'sorted b90': lambda block: block['sorted_energy']['bandwidth']['0.90'],
        'participation': shared.mean('participation_ratio'),
    }
    column_note = f'{shared.B90_NOTE}\n{shared.MEANS_NOTE}'
    tables = {
        shared.BANDWIDTHS: shared.bandwidth_rows(KINDS),
        shared.CHANNEL_CURVES: shared.channel_curve_rows(KINDS),
        shared.SUMMARIES: shared.summary_rows('participation_ratio'),
    }
    figures = (SORTED_ENERGY, IN_USE)
    required = {'sorted_energy': ('curve', 'std', 'bandwidth')}
    scalars = {
        'sorted_b90': columns['sorted b90'],
        'participation_ratio': columns['participation'],
    }

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._sorted = SortedChannelEnergy()
        self._participation = ParticipationRatio()

    def update(self, batch: Batch) -> None:
        """Add a batch."""
        self._sorted.update(batch.double)
        self._participation.update(batch.double)

    def result(self) -> dict[str, Any]:
        """Return both results."""
        return {
            'sorted_energy': self._sorted.result(),
            'participation_ratio': self._participation.result(),
        }
