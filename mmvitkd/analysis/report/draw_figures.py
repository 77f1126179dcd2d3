"""Draw the figures of all measures, of a report or of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..measures.checks import named_errors
from ..measures.selection import all_measures
from ..plotting.figure import Blocks, ReportFigure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_figures(
    blocks: Blocks, overlay: bool = False
) -> Iterator[tuple[ReportFigure, Figure]]:
    """Draw each figure that has something to show, once.

    Args:
        blocks: Of a report; or one block of each model, by its name.
        overlay: Whether to draw models over each other.
    """
    owners: dict[ReportFigure, list[str]] = {}
    for measure in all_measures().values():
        for each in measure.figures:
            owners.setdefault(each, []).append(measure.name)
    for each, names in owners.items():
        draw = each.overlay if overlay else each.draw
        with named_errors(f'figure {each.name!r} of the measures {", ".join(names)}'):
            figure = draw(blocks) if draw else None
        if figure is not None:
            yield each, figure
