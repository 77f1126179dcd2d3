"""Python scripts that run beside this process, on one thread each, and end with it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 10.0  # seconds that a script has to end by itself


class Subprocesses:
    """Starts scripts with this interpreter, and ends what still runs on leaving its context."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen] = []

    def __enter__(self) -> 'Subprocesses':
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(
        self, command: Sequence[str | Path], log: Path, **environment: str
    ) -> subprocess.Popen:
        """Start a script on one thread.

        Args:
            command: The script and its arguments.
            log: The file for all that it prints; folders on the way are made.
            environment: Variables to set beside those of this process.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, 'w') as output:
            process = subprocess.Popen(
                [sys.executable, *map(str, command)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, OMP_NUM_THREADS='1', **environment),
            )
        self._started.append(process)
        return process

    def stop(self) -> None:
        """End what still runs, after a failure or Ctrl-C."""
        running = [process for process in self._started if process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, which say why a script failed."""
    return ''.join(log.read_text(errors='replace').splitlines(keepends=True)[-lines:])
