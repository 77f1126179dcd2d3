"""Write to the log at an interval that fits the epoch."""

from typing import Any

from mmengine.hooks import LoggerHook as _LoggerHook
from mmengine.runner import Runner

from ...registry import HOOKS

LINES = 4  # of an epoch, at least
MAX_INTERVAL = 100


@HOOKS.register_module()
class LoggerHook(_LoggerHook):  # type: ignore[misc]  # MMEngine is untyped
    """MMEngine's ``LoggerHook``, by default with at least four lines in an epoch.

    The screen, the log, its JSON file and TensorBoard have the same iterations.

    Args:
        interval: The iterations from one line to the next; None for a quarter of an epoch, and
            at most 100.
        kwargs: Arguments of MMEngine's hook.
    """

    def __init__(self, interval: int | None = None, **kwargs: Any) -> None:
        super().__init__(MAX_INTERVAL if interval is None else interval, **kwargs)
        self.fits_epoch = interval is None
        self.eval_interval = self.interval  # batches between two lines of a validation or test

    def before_run(self, runner: Runner) -> None:
        """Fit the interval to the epoch, once its length is known."""
        super().before_run(runner)
        if self.fits_epoch and hasattr(runner._train_loop, 'dataloader'):
            length = min(len(runner.train_dataloader), runner.max_iters)
            self.interval = max(1, min(MAX_INTERVAL, length // LINES))

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Log the progress of a validation."""
        self._log_progress(runner, batch_idx, 'val')

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Log the progress of a test."""
        self._log_progress(runner, batch_idx, 'test')

    def _log_progress(self, runner: Runner, batch_idx: int, mode: str) -> None:
        if self.every_n_inner_iters(batch_idx, self.eval_interval):
            runner.logger.info(
                runner.log_processor.get_log_after_iter(runner, batch_idx, mode)[1]
            )
