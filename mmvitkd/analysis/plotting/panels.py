"""Draw panels, legends and curves that the figures share, and choose the blocks they show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...utils.plotting import COLORS, INK, plain
from .figure import Blocks, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours of the measured curve, of the one it is compared with, and of nulls.
OWN, OTHER, NULL = COLORS[1], COLORS[2], COLORS[0]
LINE, BAND = 1.6, 0.2
SMALL = 8
# Colours of blocks that share a panel.
BLOCK_COLORS = COLORS[2], COLORS[3], COLORS[1]
# Up to this many blocks, each has a tick.
MAX_TICKS = 10


def block_label(key: str) -> str:
    """Return the label of a block: ``block 11``, or the name of a module."""
    return f'block {key}' if key.isdigit() else key


def blocks_with(blocks: Blocks, *entries: str) -> dict[str, Mapping[str, Any]]:
    """Return the blocks that have at least one of these entries."""
    return {key: block for key, block in blocks.items() if block.keys() & set(entries)}


def sample_blocks(blocks: Blocks) -> dict[str, Mapping[str, Any]]:
    """Return at most three blocks to draw: first, middle and last."""
    keys = list(blocks)
    chosen = keys if len(keys) <= 3 else [keys[0], keys[(len(keys) - 1) // 2], keys[-1]]
    return {key: blocks[key] for key in chosen}


def panels(names: Sequence[str], height: float = 3.2) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each name, side by side on one vertical axis."""
    figure = new_figure(1.0 + 3.4 * len(names), height)
    row = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(row, names, strict=True):
        title(plain(axes), name)
    return figure, list(row)


def one_panel(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure with a single panel."""
    figure = new_figure(width, height)
    return figure, plain(figure.add_subplot())


def with_colors(blocks: Blocks) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield colour, key and block for one panel; the last block's colour is always the same."""
    colors = BLOCK_COLORS[len(BLOCK_COLORS) - len(blocks) :]
    for color, (key, block) in zip(colors, blocks.items(), strict=True):
        yield color, key, block


def title(axes: Axes, text: str) -> None:
    """Set the title of a panel."""
    axes.set_title(text, loc='left', fontsize=10, color=INK)


def legend(axes: Axes, **where: Any) -> None:
    """Add a legend without a frame."""
    axes.legend(frameon=False, fontsize=SMALL, labelcolor=INK, **where)


def legend_below(axes: Axes, **how: Any) -> None:
    """Add a legend below all panels, where it covers no curve."""
    handles, labels = axes.get_legend_handles_labels()
    axes.get_figure().legend(  # type: ignore[union-attr]
        handles,
        labels,
        loc='outside lower left',
        frameon=False,
        fontsize=SMALL,
        labelcolor=INK,
        title_fontsize=SMALL,
        alignment='left',
        **how,
    )


def depth_axis(axes: Axes, keys: Sequence[str]) -> list[int]:
    """Label the horizontal axis with the blocks.

    Returns:
        The coordinate of each: its index; modules with other names come after the blocks.
    """
    indices = [int(key) for key in keys if key.isdigit()]
    others = [key for key in keys if not key.isdigit()]
    end = max(indices, default=-1) + 1
    places = dict(zip(others, range(end, end + len(others)), strict=True))
    found = [places.get(key, int(key) if key.isdigit() else 0) for key in keys]
    axes.set_xlabel('block or stage, counted from 0')
    if len(indices) > MAX_TICKS:
        indices = [*range(0, end, 1 + end // 9), end - 1]
    indices = _thin_ticks(indices, (max(found) - min(found)) / 14)
    # Names are in a row of their own, as they are wider than the distance of ticks.
    names = [f'\n{name}' for name in places]
    axes.set_xticks([*indices, *places.values()], [*map(str, indices), *names])
    return found


def _thin_ticks(ticks: Sequence[int], distance: float) -> list[int]:
    """Drop ticks that are closer than a distance to the next one; keep the last."""
    kept: list[int] = []
    for tick in sorted(set(ticks), reverse=True):
        if not kept or kept[-1] - tick >= distance:
            kept.append(tick)
    return kept[::-1]


def curve(
    axes: Axes,
    x: Sequence[float],
    mean: Sequence[float],
    std: Sequence[float],
    color: str,
    label: str,
    style: str = '-',
) -> None:
    """Draw a curve of shares in percent, with a band of one standard deviation."""
    low = [100 * max(0.0, m - s) for m, s in zip(mean, std, strict=True)]
    high = [100 * min(1.0, m + s) for m, s in zip(mean, std, strict=True)]
    axes.fill_between(x, low, high, color=color, alpha=BAND, linewidth=0)
    percent = [100 * m for m in mean]
    axes.plot(x, percent, color=color, label=label, linewidth=LINE, linestyle=style)
