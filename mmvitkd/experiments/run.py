"""Describe a run of an experiment: one config with one seed, its command, its result."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..checkpoint.find import last_checkpoint
from ..utils.atomic_file import atomic_file
from ..utils.collect_env import LOCAL_CHANGES, versions
from ..utils.config_options import read_options
from .metrics import read_metrics
from .suite import Entry, Suite


@dataclass(frozen=True)
class Result:
    """The result of a finished run, as in its ``result.json``.

    Attributes:
        fingerprint: The hash of the run's settings; see :attr:`Run.fingerprint`.
        metrics: The last validation metrics by name; those of the average with ``_ema``.
        source: The validation that they are from.
        checkpoint: The name of the checkpoint in the same folder.
        seconds: Wall-clock time of the training; of its last part, if it was cut short.
        command: The command, relative to the folder in which it was run.
        commit: The commit of the code, or None if it is unknown.
    """

    fingerprint: str
    metrics: dict[str, float]
    source: str
    checkpoint: str
    seconds: float
    command: list[str]
    commit: str | None


@dataclass(frozen=True, eq=False)
class Run:
    """One training by ``tools/train.py``.

    Attributes:
        entry: The config.
        seed: The seed; None for the config's.
        folder: Its work dir.
        metric: A metric that its validation must have; None if none is needed.
        needs: The runs whose last checkpoints it starts from, by config key.
        options: Arguments of ``--cfg-options``, the same for all runs.
    """

    entry: Entry
    seed: int | None
    folder: Path
    metric: str | None
    needs: Mapping[str, 'Run']
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.entry.name + ('' if self.seed is None else f', seed {self.seed}')

    @property
    def start_note(self) -> Path:
        """The file that says what is trained in the folder, until that has ended."""
        return self.folder / 'started.json'

    @property
    def log(self) -> Path:
        """The file with the output of the training."""
        return self.folder / 'output.log'

    @cached_property
    def config(self) -> Config:
        """Its config with the seed and the options, without the checkpoints it needs."""
        config = Config.fromfile(self.entry.config)
        config.merge_from_dict(
            read_options([*self._seed, *self.entry.options, *self.options]) or {}
        )
        return config

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the settings with the seed, and of those of the runs that it needs.

        It does not cover code, data, or comments in the config.
        """
        parts = [json.dumps(self.config.to_dict(), default=repr, sort_keys=True)]
        parts += [f'{key}={run.fingerprint}' for key, run in sorted(self.needs.items())]
        return hashlib.sha256('\n'.join(parts).encode()).hexdigest()

    def command(self, script: Path) -> list[str]:
        """Return the script and its arguments, with paths relative to the working folder."""
        needed = [f'{key}={_short(run.checkpoint)}' for key, run in self.needs.items()]
        options = [*self._seed, *needed, *self.entry.options, *self.options]
        arguments = [_short(self.entry.config), '--work-dir', _short(self.folder)]
        return [_short(script), *arguments, *(['--cfg-options', *options] if options else [])]

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint of a finished run."""
        result = self.result()
        if result is None:
            raise ValueError(f'{self.name}: not finished, so there is no checkpoint.')
        return self.folder / result.checkpoint

    def note_start(self, commit: str | None) -> None:
        """Write what is trained here, so that a training cut short can be continued.

        Args:
            commit: The commit of the code.
        """
        self.start_note.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(self.start_note) as temporary:
            temporary.write_text(json.dumps(self._start(commit)) + '\n')

    def was_cut_short(self, commit: str | None) -> bool:
        """Whether a training with these settings and this code began and did not end.

        Code with local changes may have been changed since, so it is never the same.
        """
        if (commit or '').endswith(LOCAL_CHANGES) or (self.folder / 'result.json').exists():
            return False
        try:
            return bool(json.loads(self.start_note.read_text()) == self._start(commit))
        except (OSError, ValueError):
            return False

    def result(self) -> Result | None:
        """Return its result; None if there is none, or if it is from another config."""
        try:
            result = Result(**json.loads((self.folder / 'result.json').read_text()))
        except (FileNotFoundError, NotADirectoryError, TypeError, ValueError, RecursionError):
            return None
        exists = (self.folder / result.checkpoint).is_file()
        return result if exists and result.fingerprint == self.fingerprint else None

    def score(self) -> float:
        """Return its metric.

        Raises:
            ValueError: If it is not finished.
        """
        result = self.result()
        if result is None or self.metric is None:
            raise ValueError(f'{self.name}: not finished, so there is no score.')
        return result.metrics[self.metric]

    def record(self, script: Path, seconds: float, commit: str | None) -> None:
        """Write the result of a training, which marks the run as finished.

        Raises:
            FileNotFoundError: If it left no checkpoint.
            ValueError: If the checkpoint cannot be read or lacks the metric.
        """
        found = last_checkpoint(self.folder)
        if found is None:
            raise FileNotFoundError(f'{self.folder}: the training left no checkpoint.')
        metrics, source = read_metrics(str(found), self.config, self.metric)
        result = Result(
            fingerprint=self.fingerprint,
            metrics=metrics,
            source=source,
            checkpoint=found.name,
            seconds=seconds,
            command=['python', *self.command(script)],
            commit=commit,
        )
        text = json.dumps(asdict(result), indent=1) + '\n'
        with atomic_file(self.folder / 'result.json') as temporary:
            temporary.write_text(text)

    def _start(self, commit: str | None) -> dict[str, Any]:
        return dict(fingerprint=self.fingerprint, commit=commit, versions=versions())

    @property
    def _seed(self) -> list[str]:
        return [] if self.seed is None else [f'randomness.seed={self.seed}']


def runs_of(
    suite: Suite, seeds: Sequence[int], out: Path, options: Sequence[str] = ()
) -> list[Run]:
    """List the runs of a suite seed by seed, each after those that it needs.

    Args:
        suite: The suite.
        seeds: The seeds.
        out: The folder of the experiment; the runs are in ``runs`` below it.
        options: Arguments of ``--cfg-options``, the same for all runs.
    """
    runs: dict[tuple[str, int | None], Run] = {}

    def add(entry: Entry, seed: int | None) -> None:
        folder = out / 'runs' / entry.name / ('once' if seed is None else f'seed_{seed}')
        needs = {
            key: runs.get((name, None)) or runs[name, seed] for key, name in entry.needs.items()
        }
        metric = None if entry.once else suite.metric
        runs[entry.name, seed] = Run(entry, seed, folder, metric, needs, tuple(options))

    for entry in (e for e in suite.entries if e.once):
        add(entry, None)
    for seed in seeds:
        for entry in (e for e in suite.entries if not e.once):
            add(entry, seed)
    return list(runs.values())


def _short(path: Path) -> str:
    """Return a path as a user in the working folder would type it."""
    absolute, here = path.resolve(), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)
