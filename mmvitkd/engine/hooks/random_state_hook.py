"""Make the same seed give the same run, also across a resume."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from ...registry import HOOKS
from ...utils import random_state


@HOOKS.register_module()
class RandomStateHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Seed every rank and worker, and restore their states on resume.

    A rank's main stream is seeded from (seed, rank) when training starts, is not affected by
    validation, and continues from the checkpoint on resume. A loader's worker is seeded from
    (seed, rank, worker, epoch); MMEngine leaves out the epoch, so that every epoch draws the
    same augmentations. (MMEngine starts the first workers of an iteration-based run before any
    hook is called; from the second pass over the data on they are seeded here.)

    The priority places this hook after the EMA's validation and before the checkpoint.
    """

    priority = 'LOW'

    def __init__(self) -> None:
        self._resumed: dict[str, Any] | None = None
        self._before_val: dict[str, Any] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep this rank's state until training starts."""
        states = checkpoint.get('random_states')
        if not runner._resume or states is None:
            return
        if len(states) == runner.world_size:
            self._resumed = states[runner.rank]
        else:
            runner.logger.warning(
                f'The checkpoint holds the random states of {len(states)} processes, but this '
                f'run has {runner.world_size}: they are seeded anew.'
            )

    def before_train(self, runner: Runner) -> None:
        """Give each rank its own stream; MMEngine seeds all ranks alike."""
        random_state.seed_everything(runner.seed, runner.rank, runner.iter)
        if getattr(runner.train_dataloader, 'persistent_workers', False):
            runner.logger.warning(
                'train_dataloader.persistent_workers=True: workers are seeded once, not every '
                'epoch, so a resumed run will see other augmentations.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the workers about to start, and continue from a checkpoint's state."""
        loop = runner.train_loop
        loop.dataloader.worker_init_fn = partial(
            random_state.seed_worker,
            seed=runner.seed,
            rank=runner.rank,
            epoch=runner.epoch,
            sampler=getattr(loop.dataloader.batch_sampler, 'sampler', None),
        )
        if not isinstance(loop, IterBasedTrainLoop):
            self._restore()
        elif self._resumed is not None:
            loop.dataloader_iterator = _SkippingIterator(
                loop.dataloader_iterator, loop.iter, self._restore
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Restore the state of a run that does not skip the batches it has seen."""
        self._restore()

    def _restore(self) -> None:
        if self._resumed is not None:
            random_state.set_state(self._resumed)
            self._resumed = None

    def before_val_epoch(self, runner: Runner) -> None:
        """Save the state of training."""
        self._before_val = random_state.get_state()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Restore the state of training, which validation must not affect."""
        if self._before_val is not None:
            random_state.set_state(self._before_val)
            self._before_val = None


class _SkippingIterator:
    """The batches of an iteration-based run; restores the state after those already seen."""

    def __init__(self, batches: Any, seen: int, restore: Callable[[], None]) -> None:
        self._batches = batches
        self._to_skip = seen
        self._restore = restore

    def __next__(self) -> Any:
        if self._to_skip == 0:
            self._restore()
        self._to_skip -= 1
        return next(self._batches)

    def skip_iter(self, number: int) -> None:
        """Skip several batches at once, as some versions of MMEngine do."""
        self._batches.skip_iter(number)
        self._to_skip -= number
