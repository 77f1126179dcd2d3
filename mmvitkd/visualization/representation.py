"""From a report of a representation to tables, figures and a text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from .figure import save
from .representation_channels import draw_sep, draw_sorted_energy
from .representation_depth import draw_in_use, draw_intensity, draw_layers, draw_u_shape
from .representation_energy import draw_dimensions, draw_energy
from .representation_panels import Blocks
from .representation_rotation import draw_rotation
from .representation_spectrum import draw_spectrum
from .representation_tables import write_tables
from .representation_text import report_text

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
