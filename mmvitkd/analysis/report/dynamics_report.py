"""Write the report of a training: numbers of each block in each kept checkpoint."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...utils.markdown import code_span, escape
from ...utils.tables import markdown_table
from ..measures.shared_tables import format_digits
from ..plotting.dynamics import draw_dynamics
from ..plotting.panels import block_label
from .report_text import unreadable_note
from .summary_table import column_notes, numbers_of
from .write_report import save_both

CAPTION = (
    'A line per checkpoint over the blocks, as arXiv 2511.06848 follows a student. As there, '
    'each checkpoint is measured alone: the bins of its entropy lie between its own smallest '
    'and largest value.'
)


def write_dynamics(
    about: Mapping[str, Any], checkpoints: Mapping[int, Mapping[Any, Any]], out: Path
) -> dict[str, Any]:
    """Write report.md, a table and the figure.

    Args:
        about: 'model', 'images' (their folder), 'num_images' (of those that were read),
            'unreadable' (the reasons for the others, by path), and more facts for report.json.
        checkpoints: The entries of the blocks by epoch, then by key, as ``MeasureRunner``
            returns them.
        out: A folder.

    Returns:
        The content of report.json.
    """
    numbers = {
        epoch: {str(key): _numbers(entry) for key, entry in blocks.items()}
        for epoch, blocks in checkpoints.items()
    }
    columns = list(
        dict.fromkeys(c for each in numbers.values() for n in each.values() for c in n)
    )
    _write_table(numbers, columns, out / 'tables')
    save_both(draw_dynamics(numbers, columns), out / 'figures', 'dynamics')
    entries = [entry for blocks in checkpoints.values() for entry in blocks.values()]
    sections = [
        f'# The training of {escape(str(about["model"]))}',
        f'{len(numbers)} checkpoints on {about["num_images"]} images of '
        f'{code_span(str(about["images"]))}.',
        *unreadable_note(sorted(about['unreadable'])),
        f'![Numbers over the training](figures/dynamics.png)\n\n{CAPTION}',
        *(_section(column, numbers) for column in columns),
        *column_notes(entries),
    ]
    (out / 'report.md').write_text('\n\n'.join(sections) + '\n', encoding='utf-8')
    return {**about, 'numbers': {str(epoch): each for epoch, each in numbers.items()}}


def _numbers(entry: Mapping[str, Any]) -> dict[str, float]:
    """Return a block's numbers by column, without its width, which no training changes."""
    return {c: number for c, number in numbers_of(entry).items() if c != 'channels'}


def _section(column: str, numbers: Mapping[int, Mapping[str, Mapping[str, float]]]) -> str:
    """Return a heading, and a table with a row per epoch and a column per block."""
    keys = list(dict.fromkeys(key for blocks in numbers.values() for key in blocks))
    rows = [
        [
            str(epoch),
            *(format_digits(b[key][column]) if column in b[key] else '' for key in keys),
        ]
        for epoch, b in numbers.items()
    ]
    header = ['epoch', *(block_label(key) for key in keys)]
    return f'## {column}\n\n{markdown_table(header, rows)}'


def _write_table(
    numbers: Mapping[int, Mapping[str, Mapping[str, float]]], columns: list[str], folder: Path
) -> None:
    """Write ``dynamics.csv``: a row per checkpoint and block, all digits."""
    folder.mkdir()
    with open(folder / 'dynamics.csv', 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['epoch', 'block', *columns])
        for epoch, blocks in numbers.items():
            for key, found in blocks.items():
                writer.writerow([epoch, key, *(found.get(column, '') for column in columns)])
