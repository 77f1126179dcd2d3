"""Run Python scripts as single-threaded child processes that end with their parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TERMINATE_TIMEOUT = 10.0  # seconds between SIGTERM and SIGKILL
# A wrapper and no `preexec_fn`, which may lock up where this process has threads.
WRAPPER = Path(__file__).with_name('die_with_parent.py')


class Subprocesses:
    """Start scripts with this interpreter; leaving the context ends those still running.

    Where this process is killed, the kernel kills them.
    """

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> 'Subprocesses':
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        append: bool = False,
        **environment: str,
    ) -> subprocess.Popen[bytes]:
        """Start a script on one thread.

        Args:
            command: The script and its arguments.
            log: The file for its output; missing parent folders are created.
            append: Whether to keep what is in that file.
            environment: Variables to set in addition to those of this process.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        wrapper = [sys.executable, '-IS', WRAPPER, os.getpid(), int(signal.SIGKILL)]
        with open(log, 'a' if append else 'w') as output:
            process = subprocess.Popen(
                [*map(str, wrapper), *map(str, command)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, OMP_NUM_THREADS='1', **environment),
            )
        self._started.append(process)
        return process

    def stop(self) -> None:
        """End the scripts that still run."""
        running = [process for process in self._started if process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(TERMINATE_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def tail_log(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, which usually say why a script failed."""
    return ''.join(log.read_text(errors='replace').splitlines(keepends=True)[-lines:])
