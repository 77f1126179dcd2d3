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


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same table in Markdown, without a line break at its end."""
    lines = [header, ['---'] + ['---:'] * (len(header) - 1), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
