"""Show the progress of trainings in other processes, read from their logs."""

import re
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)


def training_progress(console: Console) -> Progress:
    """Return a progress display with a bar per run that counts epochs."""
    return Progress(
        TextColumn('{task.description:22}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def last_epoch(log: Path) -> int:
    """Return the last epoch in a training's log, 0 before the first."""
    epochs = re.findall(r'Epoch\(train\)\s+\[(\d+)\]', log.read_text())
    return int(epochs[-1]) if epochs else 0
