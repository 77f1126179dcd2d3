"""Format the table of blocks: a few numbers to compare blocks, and models, by."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from ..measures.checks import named_errors, was_measured
from ..measures.selection import all_measures
from ..measures.shared_tables import format_digits

Entry = Mapping[str, Any]


def numbers_of(block: Entry) -> dict[str, float]:
    """Return the numbers of a block by column, without those that were not measured.

    Raises:
        TypeError: If a measure's column is not a number; names the measure.
        ValueError: If it is not finite, or not found although it was measured; likewise.
    """
    numbers: dict[str, float] = {}
    if 'embed_dims' in block:
        numbers['channels'] = block['embed_dims']
    for measure in all_measures().values():
        for column, number_of in measure.columns.items():
            where = f'measure {measure.name!r}: columns[{column!r}]'
            try:
                with named_errors(where):
                    number = number_of(block)
            except KeyError as error:
                if was_measured(measure, block):
                    raise ValueError(f'{where}: found no {error}, wanted a number.') from error
                continue
            if not isinstance(number, int | float):
                raise TypeError(f'{where}: found {number!r:.40}, wanted a number.')
            if not isfinite(number):
                raise ValueError(f'{where}: found {number}, wanted a finite number.')
            numbers[column] = number
    return numbers


def number_table(rows: Mapping[str, Entry]) -> tuple[list[str], list[list[str]]]:
    """Return rows of numbers, to four digits.

    Args:
        rows: Blocks by the names of the rows.

    Returns:
        The header, whose first column has no name, with the columns that occur in any row;
        and the rows, with empty cells for missing numbers.
    """
    numbers = {name: numbers_of(block) for name, block in rows.items()}
    columns = ['channels', *(c for m in all_measures().values() for c in m.columns)]
    header = [column for column in columns if any(column in row for row in numbers.values())]
    cells = [[name, *_cells(row, header)] for name, row in numbers.items()]
    return ['', *header], cells


def column_notes(blocks: Iterable[Entry], comparison: bool = False) -> list[str]:
    """Return a paragraph on how to read the columns that any block has, if there is a note.

    Args:
        blocks: The rows of the table.
        comparison: Whether to return why the numbers do not compare between models, instead.
    """
    columns = {column for block in blocks for column in numbers_of(block)}
    notes = [
        measure.comparison_note if comparison else measure.column_note
        for measure in all_measures().values()
        if columns & measure.columns.keys()
    ]
    lines = dict.fromkeys(line for note in notes for line in note.splitlines())
    return [' '.join(lines)] if lines else []


def _cells(row: Mapping[str, float], header: Iterable[str]) -> list[str]:
    return [format_digits(row[column]) if column in row else '' for column in header]
