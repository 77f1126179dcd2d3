"""Progress of trainings that other processes run: their bars, filled from their logs."""

import re
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


def training_bars(console: Console) -> Progress:
    """A context with one bar a run; without a terminal only the last state is printed.

    Every task needs a field ``at``, which says how far it is.
    """
    columns = TextColumn('{task.description:22}'), BarColumn(), TextColumn('{task.fields[at]}')
    return Progress(*columns, TimeElapsedColumn(), console=console)


def last_epoch(log: Path) -> int:
    """The last epoch that a log tells of."""
    epochs = re.findall(r'Epoch\(train\)\s+\[(\d+)\]', log.read_text())
    return int(epochs[-1]) if epochs else 0
