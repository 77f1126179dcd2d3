"""The few numbers of a report that tell blocks, and models, apart: one row a block."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Block = Mapping[str, Any]


def _p99(measure: str) -> Callable[[Block], float]:
    return lambda block: block[measure]['0.99']['p99']


def _mean(measure: str) -> Callable[[Block], float]:
    return lambda block: block[measure]['mean']


# What each column says is in representation_reading.py.
COLUMNS: dict[str, Callable[[Block], float]] = {
    'channels': lambda block: block['embed_dims'],
    'SVD 99 %': _p99('svd'),
    'PCA 99 %': _p99('pca'),
    'overlap': lambda block: block['rotation']['pairs']['overlap']['mean'],
    'random overlap': lambda block: block['rotation']['null'],
    'SEP b90': lambda block: block['sep']['full']['bandwidth']['0.90'],
    'permuted b90': lambda block: block['sep']['permuted']['bandwidth']['0.90'],
    'null b90': lambda block: block['sep']['null']['bandwidth']['0.90'],
    'sorted b90': lambda block: block['sorted_energy']['bandwidth']['0.90'],
    'participation': _mean('participation_ratio'),
    'effective rank': _mean('effective_rank'),
    'intensity': lambda block: block['frequency_intensity'],
    'entropy, bits': _mean('entropy'),
    'activation': _mean('activation_magnitude'),
    'gradient': _mean('gradient_magnitude'),
}


def numbers_of(block: Block) -> dict[str, float]:
    """The numbers of a block, by column; those that were not measured are left out."""
    numbers = {}
    for column, value_of in COLUMNS.items():
        try:
            numbers[column] = value_of(block)
        except KeyError:
            continue
    return numbers


def number_table(rows: Mapping[str, Block]) -> tuple[list[str], list[list[str]]]:
    """Rows of numbers, to four digits.

    Args:
        rows: Blocks by what each row is called.

    Returns:
        The header, whose first column has no name, with the columns that any row has; and
        the rows, with empty cells where a number is missing.
    """
    numbers = {name: numbers_of(block) for name, block in rows.items()}
    header = [column for column in COLUMNS if any(column in row for row in numbers.values())]
    cells = [[name, *_cells(row, header)] for name, row in numbers.items()]
    return ['', *header], cells


def in_digits(number: float) -> str:
    """A number to four significant digits."""
    return f'{number:.4g}'


def _cells(row: Mapping[str, float], header: Iterable[str]) -> list[str]:
    return [in_digits(row[column]) if column in row else '' for column in header]
