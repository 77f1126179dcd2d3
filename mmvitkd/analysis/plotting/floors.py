"""Draw the floors of targets over the width of the student."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ...utils.plotting import COLORS, GREY
from ..functional.width_floor import COMMON_WIDTHS
from .figure import Blocks, ReportFigure
from .model_overlays import model_lines, model_panels
from .panels import LINE, SMALL, block_label, blocks_with, legend, panels, sample_blocks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TARGET_COLORS = {'raw': COLORS[1], 'centred': COLORS[2], 'standardised': COLORS[3]}
# Floors below this share are rounding, or too small to matter; the axis ends there.
LOWEST = 1e-4


def draw_floors(blocks: Blocks, widths: Sequence[int] = COMMON_WIDTHS) -> Figure | None:
    """Draw the floor of each target over the width, held out dashed.

    Args:
        blocks: Blocks of a report; of many, the first, the middle and the last are drawn.
        widths: The widths to mark.

    Returns:
        None if it was not measured.
    """
    chosen = sample_blocks(blocks_with(blocks, 'floor'))
    if not chosen:
        return None
    figure, row = panels([block_label(key) for key in chosen], height=3.6)
    for axes, block in zip(row, chosen.values(), strict=True):
        for target, color in TARGET_COLORS.items():
            floors = block['floor'][target]
            _curve(axes, floors['in_sample'], color, target)
            if floors['held_out'] is not None:
                _curve(axes, floors['held_out'], color, None, '--')
        _scale(axes, widths, len(floors['in_sample']) - 1)
    row[0].set_ylabel("floor, % of the target's energy")
    legend(row[0], loc='lower left', title='dashed: held out', title_fontsize=SMALL)
    return figure


def overlay_floors(models: Blocks) -> Figure | None:
    """Draw the floors of one block of each model.

    Returns:
        None if no model has them.
    """
    having = blocks_with(models, 'floor')
    if not having:
        return None
    targets = [name for name in TARGET_COLORS if name != 'raw']
    figure, row = model_panels(targets, sharey=True)
    for axes, target in zip(row, targets, strict=True):
        for name, block, color, style in model_lines(models, 'floor'):
            _curve(axes, block['floor'][target]['in_sample'], color, name, style)
        width = max(len(block['floor'][target]['in_sample']) - 1 for block in having.values())
        _scale(axes, COMMON_WIDTHS, width)
        legend(axes, loc='lower left')
    row[0].set_ylabel("floor, % of the target's energy")
    return figure


def _curve(
    axes: Axes, floors: Iterable[float], color: str, label: str | None, style: str = '-'
) -> None:
    percent = [100 * floor for floor in floors]
    axes.plot(percent, color=color, label=label, linewidth=LINE, linestyle=style)


def _scale(axes: Axes, widths: Sequence[int], width: int) -> None:
    """Set the axes for floors up to a width, and mark the common widths in it."""
    axes.set_yscale('log')
    axes.set_ylim(100 * LOWEST, 120)
    axes.yaxis.set_major_formatter('{x:g}')
    axes.set_xlim(0, width)
    axes.set_xlabel('width of the student')
    ends: dict[str, Any] = dict(color=GREY, fontsize=SMALL, rotation=90, va='top', ha='right')
    for mark in (w for w in widths if w < width):
        axes.axvline(mark, color=GREY, linewidth=0.8, linestyle=':')
        axes.text(mark, 110, str(mark), **ends)


FLOORS = ReportFigure(
    'floors',
    'Floors',
    'The least squared error of any student whose features of that width reach the teacher '
    "through a linear map with a bias, or through Lift, as a share of the target's energy; "
    'WideLast is not bound by it. Solid: on these images, a bound. Dashed: half of them, in '
    'the directions of the other half, what a student may expect of new images. Raw and '
    'centred targets have the same error and differ in what it is divided by.',
    draw_floors,
    overlay_floors,
)
