"""A cell of an experiment: one config with one seed, its command, and whether it is done."""

import argparse
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.runner import find_latest_checkpoint

from ..checkpoint.atomic_backend import AtomicLocalBackend
from .metrics import recorded_metrics
from .suite import Entry, Suite


@dataclass(frozen=True)
class Result:
    """What a finished run came to, as its ``result.json`` has it.

    Attributes:
        fingerprint: Of what was run; see :attr:`Cell.fingerprint`.
        metrics: The last validation, by name; of the average with ``_ema``.
        source: Which validation that was.
        checkpoint: The name of the file, in the same folder.
        seconds: Wall-clock time of the training.
        command: What was run, from the folder that it was run in.
        commit: Of the code that ran, or None if that is not known.
    """

    fingerprint: str
    metrics: dict[str, float]
    source: str
    checkpoint: str
    seconds: float
    command: list[str]
    commit: str | None


@dataclass(frozen=True, eq=False)
class Cell:
    """One run of ``tools/train.py``.

    Attributes:
        entry: The config.
        seed: The seed; None: the config's.
        folder: Its work dir.
        metric: What has to be among its metrics.
        needs: By config key, the cell whose last checkpoint goes there.
        options: What ``--cfg-options`` takes, for all cells.
    """

    entry: Entry
    seed: int | None
    folder: Path
    metric: str | None
    needs: Mapping[str, 'Cell']
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.entry.name + ('' if self.seed is None else f', seed {self.seed}')

    @property
    def log(self) -> Path:
        """All that its training prints."""
        return self.folder / 'output.log'

    @cached_property
    def config(self) -> Config:
        """Its config with the seed and the options, without what it needs of others."""
        config = Config.fromfile(self.entry.config)
        config.merge_from_dict(_parse([*self._seed, *self.options]))
        return config

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the settings, seed included, and of those of the cells that it needs.

        The code, the data and the comments of the config are not in it.
        """
        parts = [json.dumps(self.config.to_dict(), default=repr, sort_keys=True)]
        parts += [f'{key}={cell.fingerprint}' for key, cell in sorted(self.needs.items())]
        return hashlib.sha256('\n'.join(parts).encode()).hexdigest()

    def command(self, script: Path) -> list[str]:
        """The script and its arguments, paths relative to the working folder where below it."""
        needed = [f'{key}={_short(cell.checkpoint)}' for key, cell in self.needs.items()]
        options = [*self._seed, *needed, *self.options]
        arguments = [_short(self.entry.config), '--work-dir', _short(self.folder)]
        return [_short(script), *arguments, *(['--cfg-options', *options] if options else [])]

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint of a cell that is done."""
        result = self.result()
        if result is None:
            raise ValueError(f'{self.name}: it is not done, and has no checkpoint.')
        return self.folder / result.checkpoint

    def result(self) -> Result | None:
        """What it came to; None if it is not done, or was done with another config."""
        try:
            result = Result(**json.loads((self.folder / 'result.json').read_text()))
        except (FileNotFoundError, NotADirectoryError, TypeError, ValueError):
            return None
        there = (self.folder / result.checkpoint).is_file()
        return result if there and result.fingerprint == self.fingerprint else None

    def score(self) -> float:
        """Its metric, once it is done.

        Raises:
            ValueError: If it is not done.
        """
        result = self.result()
        if result is None or self.metric is None:
            raise ValueError(f'{self.name}: it is not done, and has no score.')
        return result.metrics[self.metric]

    def record(self, script: Path, seconds: float, commit: str | None) -> None:
        """Read what a training has left, and write it down: from now on it is done.

        Raises:
            FileNotFoundError: If it left no checkpoint.
            ValueError: If the checkpoint cannot be read or lacks the metric.
        """
        found = find_latest_checkpoint(str(self.folder))
        if not found:
            raise FileNotFoundError(f'{self.folder}: the training left no checkpoint.')
        metrics, source = recorded_metrics(found, self.config, self.metric)
        result = Result(
            fingerprint=self.fingerprint,
            metrics=metrics,
            source=source,
            checkpoint=os.path.basename(found),
            seconds=seconds,
            command=['python', *self.command(script)],
            commit=commit,
        )
        text = json.dumps(asdict(result), indent=1) + '\n'
        AtomicLocalBackend().put(text.encode(), self.folder / 'result.json')

    @property
    def _seed(self) -> list[str]:
        return [] if self.seed is None else [f'randomness.seed={self.seed}']


def cells_of(
    suite: Suite, seeds: Sequence[int], out: Path, options: Sequence[str] = ()
) -> list[Cell]:
    """The cells of a suite, each after those it needs; seed by seed.

    Args:
        suite: The suite.
        seeds: The seeds.
        out: The folder of the experiment; the cells are in ``runs`` below it.
        options: What ``--cfg-options`` takes, for all cells.
    """
    cells: dict[tuple[str, int | None], Cell] = {}

    def add(entry: Entry, seed: int | None) -> None:
        folder = out / 'runs' / entry.name / ('once' if seed is None else f'seed_{seed}')
        needs = {
            key: cells.get((name, None)) or cells[name, seed]
            for key, name in entry.needs.items()
        }
        metric = None if entry.once else suite.metric
        cells[entry.name, seed] = Cell(entry, seed, folder, metric, needs, tuple(options))

    for entry in (e for e in suite.entries if e.once):
        add(entry, None)
    for seed in seeds:
        for entry in (e for e in suite.entries if not e.once):
            add(entry, seed)
    return list(cells.values())


def _parse(options: Sequence[str]) -> dict[str, object]:
    """What ``--cfg-options`` makes of its arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='*', action=DictAction, default={})
    return parser.parse_args(['--cfg-options', *options]).cfg_options


def _short(path: Path) -> str:
    """A path as a user in the working folder would type it."""
    absolute, here = path.resolve(), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)
