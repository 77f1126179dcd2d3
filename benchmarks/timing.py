"""Time interleaved rounds, summarize them, and write the file of a run."""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmvitkd.utils.atomic_file import atomic_file
from mmvitkd.utils.collect_env import commit_of, hardware, versions
from mmvitkd.utils.tables import markdown_table

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]


class Summary(NamedTuple):
    """Seconds of a candidate; other load can only add to them, so the lower end counts."""

    minimum: float
    first_quartile: float
    median: float


def seconds_of(
    function: Callable[..., Any],
    *arguments: Any,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the seconds of a call, including the work it queued on a GPU."""
    synchronize()
    start = clock()
    function(*arguments)
    synchronize()
    return clock() - start


def synchronize() -> None:
    """Wait for the GPU, if one is in use."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def interleaved(
    turns: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """Take turns, A B C A B C, so that a change of load affects all alike.

    Args:
        turns: Functions that return the seconds of one turn, by name.
        rounds: Number of turns of each.

    Returns:
        The seconds of each, one per round.
    """
    found: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            found[name].append(turn())
    return found


def summary_of(seconds: Sequence[float]) -> Summary:
    """Return minimum, first quartile and median."""
    return Summary(*(float(x) for x in np.percentile(seconds, (0, 25, 50))))


def summary_table(
    seconds: Mapping[str, Sequence[float]],
    base: str,
    more: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Return a table of milliseconds, and of ratios of first quartiles to a base.

    Args:
        seconds: Seconds of each candidate, one per round.
        base: The candidate that the ratios are to.
        more: Further columns: their cells by candidate, blank if missing.
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


def collect_environment() -> dict[str, Any]:
    """Return commit, versions, hardware and threads."""
    return dict(
        commit=commit_of(ROOT),
        versions=versions(),
        hardware=hardware(),
        threads=torch.get_num_threads(),
    )


def write_run(path: Path, args: argparse.Namespace, **content: Any) -> None:
    """Write the results, settings and environment of a benchmark, completely or not at all.

    Args:
        path: A JSON file; its folder is created if missing.
        args: The command line.
        content: The results.
    """
    settings = {key: str(value) for key, value in vars(args).items()}
    text = json.dumps(dict(settings=settings, **content, **collect_environment()), indent=1)
    with atomic_file(path) as temporary:
        temporary.write_text(text + '\n')
