"""Write the CSV tables of a report: all digits, one file for each kind of table."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..measures.base import Entry, Measure, Table
from ..measures.checks import named_errors
from ..measures.selection import all_measures

Rows = Callable[[Entry], Iterable[tuple[Any, ...]]]


def write_tables(report: dict[str, Any], folder: Path) -> None:
    """Write the tables that have at least one row.

    Args:
        report: The content of ``report.json``.
        folder: A new folder; the files are named after the measures' tables.

    Raises:
        TypeError: If a row does not fit its table; names the measure.
    """
    folder.mkdir()
    sources: dict[Table, list[tuple[type[Measure], Rows]]] = {}
    for measure in all_measures().values():
        for table, rows_of in measure.tables.items():
            sources.setdefault(table, []).append((measure, rows_of))
    for table, measures in sources.items():
        rows = [
            (key, *row)
            for key, block in report['blocks'].items()
            for measure, rows_of in measures
            if block.keys() & {*measure.entries}
            for row in _rows(measure, table, rows_of, block)
        ]
        if rows:
            _write(folder / f'{table.name}.csv', ('block', *table.columns), rows)


def _rows(
    measure: type[Measure], table: Table, rows_of: Rows, block: Entry
) -> list[tuple[Any, ...]]:
    where = f'measure {measure.name!r}: tables[{table.name!r}]'
    with named_errors(where):
        rows = list(rows_of(block))
    for row in rows:
        if not isinstance(row, tuple) or len(row) != len(table.columns):
            raise TypeError(f'{where}: found the row {row!r}, wanted {table.columns}.')
    return rows


def _write(path: Path, header: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> None:
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(header)
        writer.writerows(rows)
