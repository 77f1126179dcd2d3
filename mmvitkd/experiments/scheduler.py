"""Running the cells of an experiment: some at a time, each after those it needs."""

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress, TaskID

from ..utils.subprocesses import Subprocesses, tail
from .progress import last_epoch
from .run import Cell

POLL = 0.2  # seconds


def run_cells(
    cells: Sequence[Cell],
    script: Path,
    bars: Progress,
    jobs: int = 1,
    commit: str | None = None,
) -> dict[str, str]:
    """Run what is not done; a failed run stops only those that need it.

    Args:
        cells: The cells, each after those it needs.
        script: ``tools/train.py``.
        bars: Where to show how far they are.
        jobs: How many run at a time, on one thread each.
        commit: Of the code, to note in the results.

    Returns:
        Why cells failed, by their names; empty if all are done.
    """
    done = {cell for cell in cells if cell.result() is not None}
    waiting = [cell for cell in cells if cell not in done]
    running: dict[Cell, _Training] = {}
    failed: dict[Cell, str] = {}
    with Subprocesses() as scripts:
        while waiting or running:
            for cell in list(waiting):
                lost = [need.name for need in cell.needs.values() if need in failed]
                if lost:
                    failed[cell] = f'not run: it needs {", ".join(lost)}'
                elif len(running) == jobs or not done.issuperset(cell.needs.values()):
                    continue
                else:
                    running[cell] = _Training(cell, script, scripts, bars)
                waiting.remove(cell)
            time.sleep(POLL)
            for cell, training in list(running.items()):
                if not training.is_over():
                    continue
                reason = training.finish(commit)
                del running[cell]
                if reason is None:
                    done.add(cell)
                else:
                    failed[cell] = reason
    return {cell.name: reason for cell, reason in failed.items()}


class _Training:
    """A run of the script and its bar."""

    def __init__(self, cell: Cell, script: Path, scripts: Subprocesses, bars: Progress) -> None:
        self.cell, self.script, self.bars = cell, script, bars
        shutil.rmtree(cell.folder, ignore_errors=True)
        self.begin = time.perf_counter()
        self.process: subprocess.Popen = scripts.start(cell.command(script), cell.log)
        epochs = (cell.config.get('train_cfg') or {}).get('max_epochs')
        self.bar: TaskID = bars.add_task(cell.name, total=epochs, at='starting')

    def is_over(self) -> bool:
        """Whether it has ended; updates the bar."""
        epoch = last_epoch(self.cell.log)
        if epoch:
            self.bars.update(self.bar, completed=epoch, at=f'epoch {epoch}')
        return self.process.poll() is not None

    def finish(self, commit: str | None) -> str | None:
        """Record what it came to; or say why it failed."""
        seconds = time.perf_counter() - self.begin
        reason = None
        if self.process.returncode:
            lines = tail(self.cell.log).strip()
            reason = f'exit status {self.process.returncode}, see {self.cell.log}\n{lines}'
        else:
            try:
                self.cell.record(self.script, seconds, commit)
            except (OSError, ValueError) as error:
                reason = str(error)
        self.bars.remove_task(self.bar)
        ended = f'{seconds:.0f} s' if reason is None else 'failed'
        self.bars.console.print(f'{self.cell.name}: {ended}', highlight=False)
        return reason
