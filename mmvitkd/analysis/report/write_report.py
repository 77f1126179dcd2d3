"""Write the readable parts of a report: tables, figures and text."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...utils.plotting import save
from .csv_tables import write_tables
from .draw_figures import draw_figures
from .report_text import report_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(report: dict[str, Any], out: Path) -> None:
    """Write tables, figures and ``report.md`` of the measures in a report.

    Args:
        report: The content of ``report.json``.
        out: A folder: CSV files go to ``tables``, PNG and PDF to ``figures``, and
            ``report.md`` links to the figures.
    """
    write_tables(report, out / 'tables')
    drawn = []
    for each, figure in draw_figures(report['blocks']):
        save_both(figure, out / 'figures', each.name)
        drawn.append(each.name)
    (out / 'report.md').write_text(report_text(report, drawn), encoding='utf-8')


def save_both(figure: 'Figure', folder: Path, name: str) -> None:
    """Write a figure as PNG and as PDF."""
    folder.mkdir(exist_ok=True)
    for suffix in ('.png', '.pdf'):
        save(figure, folder / f'{name}{suffix}')
