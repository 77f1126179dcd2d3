"""Make the same seed give the same run, also across a resume."""

from functools import partial
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...datasets import SeededSamples
from ...registry import HOOKS
from ...utils import random_state
from ..runner.loops import ResumableLoop


@HOOKS.register_module()
class RandomStateHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Seed every rank and worker, and restore their states on resume.

    A rank's main stream is seeded from (seed, rank) when training starts, is not affected by
    validation, and continues from the checkpoint on resume, in the loops of
    ``mmvitkd.Runner``. Samples have seeds of their own there; without
    (``sample_seeds=False``), they depend on their worker, which is seeded from (seed, rank,
    worker, epoch). MMEngine leaves out the epoch, so that every epoch draws the same
    augmentations.

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
        loader = runner.train_dataloader
        is_seeded = isinstance(loader.dataset, SeededSamples)
        if getattr(loader, 'persistent_workers', False) and not is_seeded:
            runner.logger.warning(
                'train_dataloader.persistent_workers=True: workers are seeded once, not every '
                'epoch, so a resumed run will see other augmentations.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the workers about to start."""
        loop = runner.train_loop
        loop.dataloader.worker_init_fn = partial(
            random_state.seed_worker,
            seed=runner.seed,
            rank=runner.rank,
            epoch=runner.epoch,
            sampler=getattr(loop.dataloader.batch_sampler, 'sampler', None),
        )
        if not isinstance(loop, ResumableLoop):  # such as MMEngine's, at the end of an epoch
            self.restore_random_state(runner)

    def restore_random_state(self, runner: Runner) -> None:
        """Continue from a checkpoint's state, where our loops ask for it."""
        if self._resumed is not None:
            random_state.set_state(self._resumed)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Forget the checkpoint's state: training has begun."""
        self._resumed = None

    def before_val_epoch(self, runner: Runner) -> None:
        """Save the state of training."""
        self._before_val = random_state.get_state()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Restore the state of training, which validation must not affect."""
        if self._before_val is not None:
            random_state.set_state(self._before_val)
            self._before_val = None
