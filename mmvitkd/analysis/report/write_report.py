"""From a report of a representation to tables, figures and a text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ...utils.plotting import save
from .csv_tables import write_tables
from .markdown import report_text
from .plot_channels import draw_sep, draw_sorted_energy
from .plot_depth import draw_in_use, draw_intensity, draw_layers, draw_u_shape
from .plot_energy import draw_dimensions, draw_energy
from .plot_rotation import draw_rotation
from .plot_spectrum import draw_spectrum
from .plot_utils import Blocks

FIGURES: dict[str, Callable[[Blocks], Figure | None]] = {
    'layers': draw_layers,
    'dimensions': draw_dimensions,
    'energy': draw_energy,
    'rotation': draw_rotation,
    'sep': draw_sep,
    'sorted_energy': draw_sorted_energy,
    'in_use': draw_in_use,
    'spectrum': draw_spectrum,
    'intensity': draw_intensity,
    'u_shape': draw_u_shape,
}


def write_report(report: dict[str, Any], out: Path) -> None:
    """Write what people read of a report; of measures that it lacks, nothing.

    Args:
        report: As in ``report.json``.
        out: A folder: CSV files go to ``tables``, PNG and PDF to ``figures``, and
            ``report.md`` shows both.
    """
    write_tables(report, out / 'tables')
    drawn = []
    for name, draw in FIGURES.items():
        figure = draw(report['blocks'])
        if figure is not None:
            save_both(figure, out / 'figures', name)
            drawn.append(name)
    (out / 'report.md').write_text(report_text(report, drawn), encoding='utf-8')


def save_both(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as PNG and as PDF."""
    folder.mkdir(exist_ok=True)
    for suffix in ('.png', '.pdf'):
        save(figure, folder / f'{name}{suffix}')
