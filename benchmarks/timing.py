"""What the benchmarks share: interleaved rounds, their summary, and the file of a run."""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmvitkd.checkpoint.atomic_backend import AtomicLocalBackend
from mmvitkd.utils.collect_env import commit_of, hardware, versions
from mmvitkd.utils.tables import markdown_table

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]


class Summary(NamedTuple):
    """Seconds of a contestant: other load only adds to them, so the lower end counts."""

    minimum: float
    first_quartile: float
    median: float


def seconds_of(
    function: Callable[..., Any],
    *arguments: Any,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Seconds of a call, what it queued on a GPU included, on the wall's or another clock."""
    synchronize()
    start = clock()
    function(*arguments)
    synchronize()
    return clock() - start


def synchronize() -> None:
    """Wait for the GPU, where one is in use."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def interleaved(
    turns: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """Let all take turns, A B C A B C, so that a change of load meets all of them.

    Args:
        turns: Each gives the seconds of one turn.
        rounds: Turns of each.

    Returns:
        The seconds of each, one a round.
    """
    found: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            found[name].append(turn())
    return found


def summary_of(seconds: Sequence[float]) -> Summary:
    """Minimum, first quartile and median."""
    return Summary(*(float(x) for x in np.percentile(seconds, (0, 25, 50))))


def summary_table(
    seconds: Mapping[str, Sequence[float]],
    base: str,
    more: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """A table of milliseconds and of the ratio of first quartiles to one of the rows.

    Args:
        seconds: Of each contestant, one a round.
        base: Whom the ratio is to.
        more: Further columns: their cells by contestant, blank where there is none.
    """
    more = more or {}
    whole = summary_of(seconds[base]).first_quartile
    header = ['', 'minimum, ms', 'first quartile', 'median', f'ratio to {base}', *more]
    rows = []
    for name, times in seconds.items():
        found = summary_of(times)
        rows.append(
            [
                name,
                *(f'{1e3 * x:.1f}' for x in found),
                f'{found.first_quartile / whole:.3f}',
                *(cells.get(name, '') for cells in more.values()),
            ]
        )
    return markdown_table(header, rows)


def circumstances() -> dict[str, Any]:
    """Commit, versions, hardware and threads."""
    return dict(
        commit=commit_of(ROOT),
        versions=versions(),
        hardware=hardware(),
        threads=torch.get_num_threads(),
    )


def write_run(path: Path, args: argparse.Namespace, **content: Any) -> None:
    """Write what a benchmark found, with its settings and circumstances, whole or not at all.

    Args:
        path: A JSON file; its folder is made if it is not there.
        args: The command line.
        content: What was found.
    """
    settings = {key: str(value) for key, value in vars(args).items()}
    text = json.dumps(dict(settings=settings, **content, **circumstances()), indent=1)
    AtomicLocalBackend().put((text + '\n').encode(), path)
