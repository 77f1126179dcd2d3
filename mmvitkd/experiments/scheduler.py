"""Run the trainings of an experiment: a few at a time, each after those that it needs."""

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress, TaskID

from ..engine.runner.launch import INTERRUPTED, PREEMPTED
from ..utils.folder_lock import FolderInUseError, folder_lock
from ..utils.subprocesses import Subprocesses, tail_log
from .run import Run
from .training_progress import last_epoch

POLL_INTERVAL = 0.2  # seconds


def run_all(
    runs: Sequence[Run],
    script: Path,
    progress: Progress,
    jobs: int = 1,
    commit: str | None = None,
) -> dict[str, str]:
    """Train the unfinished runs; a failed run stops only those that need it.

    A run that was cut short with the same settings, code and packages is resumed.

    Args:
        runs: The runs, each after those that it needs.
        script: ``tools/train.py``.
        progress: Shows the progress of the runs.
        jobs: How many to run at a time, on one thread each.
        commit: The commit of the code, to record in the results.

    Returns:
        The reasons of failures by the names of the runs; empty if all are done.
    """
    done = {run for run in runs if run.result() is not None}
    waiting = [run for run in runs if run not in done]
    running: dict[Run, _Training] = {}
    failed: dict[Run, str] = {}
    with Subprocesses() as scripts:
        while waiting or running:
            for run in list(waiting):
                missing = [need.name for need in run.needs.values() if need in failed]
                if missing:
                    failed[run] = f'not run: it needs {", ".join(missing)}'
                elif len(running) == jobs or not done.issuperset(run.needs.values()):
                    continue
                else:
                    try:
                        running[run] = _Training(run, script, scripts, progress, commit)
                    except FolderInUseError as error:
                        failed[run] = f'not run: {error}'
                waiting.remove(run)
            time.sleep(POLL_INTERVAL)
            for run, training in list(running.items()):
                if not training.has_ended():
                    continue
                reason = training.finish()
                del running[run]
                if reason is None:
                    done.add(run)
                else:
                    failed[run] = reason
    return {run.name: reason for run, reason in failed.items()}


class _Training:
    """The process of a run, and its progress bar."""

    def __init__(
        self,
        run: Run,
        script: Path,
        scripts: Subprocesses,
        bars: Progress,
        commit: str | None,
    ) -> None:
        self.run, self.script, self.bars, self.commit = run, script, bars, commit
        resume = run.was_cut_short(commit)
        with folder_lock(run.folder, 'run_experiments'):
            if not resume:
                shutil.rmtree(run.folder)
        run.note_start(commit)
        self.begin = time.perf_counter()
        command = [*run.command(script), *(['--resume'] if resume else [])]
        self.process: subprocess.Popen[bytes] = scripts.start(command, run.log, append=resume)
        epochs = (run.config.get('train_cfg') or {}).get('max_epochs')
        self.bar: TaskID = bars.add_task(run.name, total=epochs)

    def has_ended(self) -> bool:
        """Update the bar, and return whether the process has ended."""
        self.bars.update(self.bar, completed=last_epoch(self.run.log))
        return self.process.poll() is not None

    def finish(self) -> str | None:
        """Record the result, or return why the run failed."""
        seconds = time.perf_counter() - self.begin
        status = self.process.returncode
        if status:
            lines = tail_log(self.run.log).strip()
            reason: str | None = f'exit status {status}, see {self.run.log}\n{lines}'
            has_ended = status > 0 and status not in (PREEMPTED, INTERRUPTED)
        else:
            reason, has_ended = self._record(seconds)
        if has_ended:  # otherwise it can be continued
            self.run.start_note.unlink()
        self.bars.remove_task(self.bar)
        ended = f'{seconds:.0f} s' if reason is None else 'failed'
        self.bars.console.print(f'{self.run.name}: {ended}', highlight=False)
        return reason

    def _record(self, seconds: float) -> tuple[str | None, bool]:
        """Record the result; return why that failed, and whether the training is over."""
        try:
            self.run.record(self.script, seconds, self.commit)
        except (FileNotFoundError, ValueError) as error:
            return str(error), True
        except OSError as error:  # such as a full disk: what was trained is whole
            return str(error), False
        return None, True
