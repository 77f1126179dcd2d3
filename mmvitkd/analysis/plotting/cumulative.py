"""Draw curves of cumulative energy over channels or frequencies, in percent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .panels import LINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_percent(
    axes: Axes, shares: Mapping[str, Any], label: str, color: str, style: str = '-'
) -> None:
    """Draw a cumulative curve over the shares of its parts, both in percent."""
    percent = [100 * value for value in shares['curve']]
    x = shares_of(len(percent))
    axes.plot(x, percent, color=color, lw=LINE, linestyle=style, label=label)


def b90(shares: Mapping[str, Any]) -> str:
    """Return a label with the bandwidth at 90 %; empty if it was not measured."""
    bandwidth = shares['bandwidth'].get('0.90')
    return '' if bandwidth is None else f'b90 {bandwidth:.3f}'


def above_diagonal(values: Sequence[float]) -> list[float]:
    """Return a cumulative curve minus the diagonal, in percentage points."""
    return [100 * (value - (k + 1) / len(values)) for k, value in enumerate(values)]


def shares_of(width: int) -> list[float]:
    """Return the horizontal coordinates of a cumulative curve, in percent of its parts."""
    return [100 * (k + 1) / width for k in range(width)]
