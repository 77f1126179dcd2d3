"""Format tables of strings for the screen and for Markdown."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table


def screen_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table for rich's console; all columns but the first are right-aligned."""
    table = Table(*map(escape, header), box=None, header_style='bold', pad_edge=False)
    for column in table.columns[1:]:
        column.justify = 'right'
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1
) -> str:
    """Return a table in Markdown, without a trailing line break.

    Args:
        header: The column names.
        rows: The cells.
        text_columns: How many of the first columns are left-aligned.
    """
    rule = ['---'] * text_columns + ['---:'] * (len(header) - text_columns)
    lines = [map(_cell, line) for line in (header, rule, *rows)]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _cell(text: str) -> str:
    """Keep what would end a cell within it, also in code."""
    return ' '.join(text.splitlines()).replace('|', r'\|')
