"""Write what a classifier takes its classes for: tables, and a picture."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..utils.atomic_file import atomic_file
from ..utils.markdown import printable

HEADER = ('class', 'images', 'correct', 'accuracy', 'most often taken for', 'times')
TABLE, MATRIX, PICTURE = 'per_class.csv', 'confusion_matrix.csv', 'confusion_matrix.png'
MOST_NAMED = 40  # classes whose names fit at the picture's sides


def class_rows(counts: np.ndarray, names: Sequence[str]) -> list[list[str]]:
    """Return a row of ``HEADER`` for each class, in order; the accuracy is in percent.

    Args:
        counts: (K, K + 1): how many images of each class were taken for each, and how many
            could not be read.
        names: Those of the K classes.
    """
    rows = []
    for index, name in enumerate(names):
        total, correct = int(counts[index].sum()), int(counts[index, index])
        others = counts[index, :-1].copy()
        others[index] = 0
        worst = int(others.argmax())
        rows.append(
            [
                name,
                str(total),
                str(correct),
                f'{100 * correct / total:.2f}' if total else '',
                names[worst] if others[worst] else '',
                str(others[worst]) if others[worst] else '',
            ]
        )
    return rows


def write_confusion(folder: Path, counts: np.ndarray, names: Sequence[str]) -> None:
    """Write ``per_class.csv``, ``confusion_matrix.csv`` and ``confusion_matrix.png``.

    The last column of the matrix, if it is not 0, is of images that could not be read.

    Args:
        folder: Where the files go.
        counts: As in :func:`class_rows`.
        names: Those of the classes.
    """
    _write_csv(folder / TABLE, HEADER, class_rows(counts, names))
    columns = [*names, 'unreadable'] if counts[:, -1].any() else list(names)
    rows = [
        [name, *map(str, row[: len(columns)])] for name, row in zip(names, counts, strict=True)
    ]
    _write_csv(folder / MATRIX, ['true class', *columns], rows)
    _draw(folder / PICTURE, counts[:, : len(columns)], names, columns)


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # The name of a folder, and so of a class, need not be valid text.
    with (
        atomic_file(path) as temporary,
        temporary.open('w', encoding='utf-8', errors='surrogateescape', newline='') as file,
    ):
        writer = csv.writer(file, lineterminator='\n')
        writer.writerows([header, *rows])


def _draw(path: Path, counts: np.ndarray, names: Sequence[str], columns: Sequence[str]) -> None:
    """Draw the share of each true class, in percent, that was taken for each class."""
    from matplotlib.figure import Figure

    from ..utils.plotting import INK, save

    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 4 + 0.22 * min(len(columns), MOST_NAMED)
    figure = Figure(figsize=(side + 1.2, side), layout='compressed')
    axes = figure.add_subplot(xlabel='taken for', ylabel='true class')
    image = axes.imshow(shares, cmap='Blues', vmin=0, vmax=100, interpolation='nearest')
    figure.colorbar(image, ax=axes, label='% of the true class', fraction=0.045)
    if len(columns) <= MOST_NAMED:
        axes.set_xticks(range(len(columns)), map(printable, columns), rotation=90, fontsize=8)
        axes.set_yticks(range(len(names)), map(printable, names), fontsize=8)
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = 'white' if shares[row, column] > 50 else INK
            text = str(counts[row, column])
            axes.text(column, row, text, ha='center', va='center', fontsize=7, color=colour)
    save(figure, path)
