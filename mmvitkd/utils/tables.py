"""Tables of strings: on the screen and in Markdown, numbers to the right."""

from collections.abc import Sequence

from rich.table import Table


def screen_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table for rich's console; all columns but the first are aligned to the right."""
    table = Table(*header, box=None, header_style='bold', pad_edge=False)
    for column in table.columns[1:]:
        column.justify = 'right'
    for row in rows:
        table.add_row(*row)
    return table


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1
) -> str:
    """The same table in Markdown, without a line break at its end.

    Args:
        header: The names of the columns.
        rows: Their cells.
        text_columns: How many columns, from the first, are aligned to the left.
    """
    rule = ['---'] * text_columns + ['---:'] * (len(header) - text_columns)
    lines = [header, rule, *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
