"""Take training steps with a teacher cache: all of it read, or all computed and stored."""

from collections.abc import Callable, Mapping
from typing import Any

from mmvitkd.models.teachers import CachedTeacher

import numpy as np
import torch
from cache_files import drop_pages, numbered_views, repeat_rows
from mmengine.config import Config
from runner_steps import BF16, EPOCH, RunnerStep, configured, feature_distill
from training_pair import TrainingPair

BATCHES = 64  # that a cache holds which is read: more than the turns, as a rule


class CachedStep(RunnerStep):
    """A step whose teacher has a cache, with a batch of other views every time.

    Args:
        pair: The pair to train.
        name: The name of the experiment, which must be unique.
        cfg: The config of the run.
        model: The algorithm, with a cached teacher.
        rows: The rows of the cache, in the order in which batches take them.
        stores: Whether they are computed, and on the disk at the end of a step.

    Attributes:
        teacher: The cached teacher.
        stores: The same.
        waits: The seconds that each step spent in it.
    """

    def __init__(
        self,
        pair: TrainingPair,
        name: str,
        cfg: Config,
        model: Any,
        rows: np.ndarray,
        stores: bool = False,
    ) -> None:
        self.teacher: CachedTeacher = model.teacher
        self.stores, self.waits = stores, []
        self._rows, self._next = rows, 0
        self._start, self.teacher.start = self.teacher.start, self._timed_start
        self._open()
        cfg.default_hooks.pop('teacher_cache', None)  # it would open it for a data set
        super().__init__(pair, name, cfg, model, BF16)

    def batch(self) -> dict[str, Any]:
        """Return a batch as the loader does: the same images, as other views."""
        batch, size = super().batch(), len(self.pair.images)
        rows = self._rows.take(range(self._next, self._next + size), mode='wrap')
        self._next += size
        for sample, row in zip(batch['data_samples'], rows.tolist(), strict=True):
            sample.set_field((row, 0, 0), 'sample_view', field_type='metainfo')
        if self.pair.drop_page_cache:
            self.teacher.close()
            drop_pages(self.teacher.folder)
            self._open()
        return batch

    def step(self, batch: dict[str, Any]) -> None:
        """Train on a batch."""
        super().step(batch)
        if self.stores:
            self.teacher.close()
            self._open()

    def _open(self) -> None:
        self.teacher.open(numbered_views(len(self._rows)), check=False)
        if self.stores:
            self.teacher.store_new_rows()

    def _timed_start(self, *arguments: Any) -> Callable[[], Any]:
        clock = self.pair.clock
        begin = clock()
        wait = self._start(*arguments)
        self.waits.append(clock() - begin)

        def timed_wait() -> Any:
            begin = clock()
            outputs = wait()
            self.waits[-1] += clock() - begin
            return outputs

        return timed_wait


def cached(pair: TrainingPair, name: str, options: Mapping[str, Any]) -> CachedStep:
    """Build a step that reads all that its teacher says, without a teacher.

    Args:
        pair: The pair to train.
        name: The candidate's name.
        options: See :func:`~runner_steps.configured`.
    """
    cfg, cache, size = configured(pair, options), _cache(pair, name), len(pair.images)
    # Compilation would take longer than the one batch that is computed.
    eager = configured(pair, {**options, 'model.teacher_options.compile': False})
    _fill(pair, eager, cache, BATCHES * size)
    # Image i is in row i of each stored batch; a batch takes its rows from anywhere.
    random = np.random.default_rng(0)
    batches = np.stack([random.permutation(BATCHES) for _ in range(size)], axis=1)
    rows = (size * batches + np.arange(size)).flatten()
    # The cache is complete, so that the teacher is only named, and not used.
    model = feature_distill(cfg, pair.first_teacher, teacher_cache=cache)
    return CachedStep(pair, name, cfg, model, rows)


def filling(pair: TrainingPair, name: str, options: Mapping[str, Any]) -> CachedStep:
    """Build a step that computes what its teacher says, and stores it.

    Args:
        pair: The pair to train.
        name: The candidate's name.
        options: See :func:`~runner_steps.configured`.
    """
    cfg = configured(pair, options)
    model = feature_distill(cfg, pair.teacher(), teacher_cache=_cache(pair, name))
    return CachedStep(pair, name, cfg, model, np.arange(EPOCH * len(pair.images)), stores=True)


def _cache(pair: TrainingPair, name: str) -> dict[str, Any]:
    return dict(dir=str(pair.work_dir / f'{name}-cache'))


def _fill(pair: TrainingPair, cfg: Config, cache: dict[str, Any], num_rows: int) -> None:
    """Store what the teacher says of the pair's images, as often as there are rows."""
    model = feature_distill(cfg, pair.teacher(), teacher_cache=cache).to(pair.device)
    teacher: CachedTeacher = model.teacher
    teacher.open(numbered_views(num_rows))
    teacher.store_new_rows()
    batch = pair.packed_batch()
    for row, sample in enumerate(batch['data_samples']):
        sample.set_field((row, 0, 0), 'sample_view', field_type='metainfo')
    data = model.data_preprocessor(batch, True)
    with torch.no_grad(), pair.autocast():
        teacher(data['inputs'], data['data_samples'])
    teacher.close()
    repeat_rows(teacher.folder, num_rows, teacher.row_bytes, len(pair.images))
