"""Write the CSV tables of a report: all digits, one file for each kind of table."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..measures.selection import all_measures


def write_tables(report: dict[str, Any], folder: Path) -> None:
    """Write the tables that have a row.

    Args:
        report: As in ``report.json``.
        folder: Is created; the files are named after the measures' tables.
    """
    folder.mkdir()
    sources: dict[Any, list[Any]] = {}  # by table, the functions that give its rows
    for measure in all_measures().values():
        for table, rows_of in measure.tables.items():
            sources.setdefault(table, []).append(rows_of)
    for table, functions in sources.items():
        rows = [
            (key, *row)
            for key, block in report['blocks'].items()
            for rows_of in functions
            for row in rows_of(block)
        ]
        if rows:
            _write(folder / f'{table.name}.csv', ('block', *table.columns), rows)


def _write(path: Path, header: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> None:
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(header)
        writer.writerows(rows)
