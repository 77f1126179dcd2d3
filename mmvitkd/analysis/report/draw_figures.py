"""Draw the figures of all measures, of a report or of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from ..measures.checks import named_errors
from ..measures.selection import all_measures
from ..plotting.figure import ReportFigure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_figures(
    content: Any, kind: Literal['draw', 'overlay', 'depths'] = 'draw'
) -> Iterator[tuple[ReportFigure, Figure]]:
    """Draw each figure that has something to show, once.

    Args:
        content: What the functions of this kind take, see :class:`ReportFigure`.
        kind: Which function of a figure draws: of a report, or of a comparison of models, from
            one block or from the report of each.
    """
    owners: dict[ReportFigure, list[str]] = {}
    for measure in all_measures().values():
        for each in measure.figures:
            owners.setdefault(each, []).append(measure.name)
    for each, names in owners.items():
        draw = getattr(each, kind)
        with named_errors(f'figure {each.name!r} of the measures {", ".join(names)}'):
            figure = draw(content) if draw else None
        if figure is not None:
            yield each, figure
