"""Train from any batch on: loops that resume in the middle of an epoch."""

import math
from abc import abstractmethod
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.runner import BaseLoop, Runner
from mmengine.runner import EpochBasedTrainLoop as _EpochBasedTrainLoop
from mmengine.runner import IterBasedTrainLoop as _IterBasedTrainLoop
from mmengine.runner.utils import calc_dynamic_intervals
from torch.utils.data import DataLoader

from ...datasets import SeededSamples, ViewSampler
from ...registry import LOOPS
from .blame import blaming, failing_transform
from .rehearsal import rehearse
from .resume import images_per_step


def view_sampler(loader: DataLoader[Any]) -> ViewSampler | None:
    """Return the sampler that numbers the views of a loader's samples, if it has one."""
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    return sampler if isinstance(sampler, ViewSampler) else None


def seeded_samples(loader: DataLoader[Any]) -> SeededSamples | None:
    """Return the data set that seeds a loader's samples, if it has one."""
    dataset = getattr(loader.dataset, '_dataset', loader.dataset)  # with num_batch_per_epoch
    return dataset if isinstance(dataset, SeededSamples) else None


def num_passes(loop: Any) -> int:
    """Return the passes of a training over its data, of which the last need not be complete.

    Args:
        loop: The training's loop, also one of MMEngine's.
    """
    if _is_infinite(loop.dataloader):  # it does not begin a pass with a batch
        images = int(loop.max_iters) * images_per_step(loop.runner)
        return math.ceil(images / len(loop.dataloader.dataset))
    return math.ceil(int(loop.max_iters) / len(loop.dataloader))


def _is_infinite(loader: DataLoader[Any]) -> bool:
    sampler = view_sampler(loader)
    return sampler is not None and isinstance(sampler.sampler, InfiniteSampler)


def batches_from(loader: DataLoader[Any], start: int) -> Iterator[Any]:
    """Start iterating over a loader at one of its batches; those before it are not loaded.

    Args:
        loader: The loader.
        start: The number of batches to leave out.
    """
    if start == 0:
        return iter(loader)
    batch_sampler = loader.batch_sampler
    try:
        # DataLoader refuses a plain assignment, as it would not affect running workers.
        object.__setattr__(loader, 'batch_sampler', _From(batch_sampler, start))
        return iter(loader)
    finally:
        object.__setattr__(loader, 'batch_sampler', batch_sampler)


def check_batches(loader: DataLoader[Any]) -> None:
    """Check that a loader has a batch.

    Raises:
        ValueError: If it has none.
    """
    if not len(loader):
        raise ValueError(
            f'train_dataloader: found {len(loader.dataset)} images, wanted at least one batch: '
            f'batch_size={loader.batch_size}, drop_last={loader.drop_last}.'
        )


class _From:
    """A batch sampler that leaves out its first batches, the first time."""

    def __init__(self, batch_sampler: Any, start: int) -> None:
        self._batch_sampler, self._start = batch_sampler, start

    def __iter__(self) -> Iterator[Any]:
        # Not before the first batch is asked for: a loader with workers starts twice.
        start, self._start = self._start, 0
        yield from islice(self._batch_sampler, start, None)

    def __len__(self) -> int:
        return len(self._batch_sampler)


class ResumableLoop(BaseLoop):  # type: ignore[misc]  # MMEngine is untyped
    """What both loops share.

    Attributes:
        validation_is_due: Whether the run was resumed from a checkpoint without the validation
            that belongs to it, which then comes first.
    """

    runner: Runner
    dataloader: DataLoader[Any]
    val_begin: int
    val_interval: int
    validation_is_due = False

    @property
    @abstractmethod
    def _end(self) -> int:
        """The number of epochs, or of iterations, of the whole run."""

    def _prepare_data(self) -> None:
        """Give the data the seed of the run, which a resumed one reads from the checkpoint.

        With ``sample_seed`` in the config, the views keep that one.

        Raises:
            ValueError: If an epoch is empty.
        """
        check_batches(self.dataloader)
        dataset = seeded_samples(self.dataloader)
        if dataset is not None and self.runner.cfg.get('sample_seed') is None:
            dataset.seed = self.runner.seed
        sampler = view_sampler(self.dataloader)
        if sampler is not None and hasattr(sampler.sampler, 'seed'):
            sampler.sampler.seed = self.runner.seed

    def _start_batches(self, start: int) -> Iterator[Any]:
        """Start iterating at a batch, with the random state of the uninterrupted run."""
        # A loader draws a number when its workers start: before the state of a checkpoint from
        # the middle of an epoch, after that of one from its end, unless they had not ended.
        draws_later = start == 0 and not self.dataloader.persistent_workers
        if draws_later:
            self.runner.call_hook('restore_random_state')
        batches = batches_from(self.dataloader, start)
        if not draws_later:
            self.runner.call_hook('restore_random_state')
        return self._blamed(batches)

    def _blamed(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield batches; an error says in which transform of the pipeline it is raised."""
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except Exception:
                key = 'train_dataloader.dataset'
                place = failing_transform(self.dataloader.dataset, key, self.runner.cfg)
                with blaming(*place):
                    raise
            yield batch

    def _validate_if_missed(self, done: int) -> None:
        """Do the validation that an interruption has cut off.

        Args:
            done: The epochs or iterations that are done.
        """
        if not self.validation_is_due:
            return
        self.validation_is_due = False
        self._decide_current_val_interval()
        if self.is_validated_after(done):
            self.runner.logger.info('Validating first: the interrupted run had not.')
            self.runner.call_hook('restore_random_state')
            self.runner.val_loop.run()

    def is_validated_after(self, done: int) -> bool:
        """Return whether a number of epochs, or of iterations, is followed by a validation."""
        due = done % self.val_interval == 0 or done == self._end
        return self.runner.val_loop is not None and done >= self.val_begin and due


@LOOPS.register_module()
class EpochBasedTrainLoop(ResumableLoop, _EpochBasedTrainLoop):  # type: ignore[misc]  # untyped
    """MMEngine's ``EpochBasedTrainLoop``, which also starts in the middle of an epoch."""

    @property
    def _end(self) -> int:
        return int(self._max_epochs)

    def run(self) -> torch.nn.Module:
        """Train."""
        self._prepare_data()
        rehearse(self.runner)
        self.runner.call_hook('before_train')
        if self._iter == self._epoch * len(self.dataloader):
            self._validate_if_missed(self._epoch)
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            if self.is_validated_after(self._epoch):
                self.runner.val_loop.run()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train for an epoch, or for what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        start = max(0, self._iter - self._epoch * len(self.dataloader))
        for index, batch in enumerate(self._start_batches(start), start):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


@LOOPS.register_module()
class IterBasedTrainLoop(ResumableLoop, _IterBasedTrainLoop):  # type: ignore[misc]  # untyped
    """MMEngine's ``IterBasedTrainLoop``, which loads no batch that it has seen.

    Args:
        runner: The runner.
        dataloader: The loader, or its config.
        max_iters: The number of iterations.
        val_begin: The first iteration that may be followed by a validation.
        val_interval: The iterations between two validations.
        dynamic_intervals: Other intervals from certain iterations on: (iteration, interval).
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader[Any] | dict[str, Any],
        max_iters: int,
        val_begin: int = 1,
        val_interval: int = 1000,
        dynamic_intervals: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        # MMEngine's own starts the workers here, before it is known where the run resumes.
        BaseLoop.__init__(self, runner, dataloader)
        self._max_iters, self._max_epochs = int(max_iters), 1
        self._iter = self._epoch = 0
        self.val_begin, self.val_interval = val_begin, val_interval
        self.stop_training = False
        runner.visualizer.dataset_meta = getattr(self.dataloader.dataset, 'metainfo', None)
        self.dynamic_milestones, self.dynamic_intervals = calc_dynamic_intervals(
            val_interval, dynamic_intervals
        )

    @property
    def _end(self) -> int:
        return self._max_iters

    def run(self) -> torch.nn.Module:
        """Train."""
        self._prepare_data()
        rehearse(self.runner)
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self._validate_if_missed(self._iter)
        batches = self._batches()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(batches))
            self._decide_current_val_interval()
            if self.is_validated_after(self._iter):
                self.runner.val_loop.run()
        batches.close()  # with the workers of the loader
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _batches(self) -> Generator[Any, None, None]:
        """Iterate over the data again and again, from the current iteration on."""
        sampler = view_sampler(self.dataloader)
        is_infinite, length = _is_infinite(self.dataloader), len(self.dataloader)
        passes, start = (0, self._iter) if is_infinite else divmod(self._iter, length)
        while True:
            for owner in filter(None, (self.dataloader.sampler, sampler)):
                if hasattr(owner, 'set_epoch'):
                    owner.set_epoch(passes)
            yield from self._start_batches(start)
            passes, start = passes + 1, 0
