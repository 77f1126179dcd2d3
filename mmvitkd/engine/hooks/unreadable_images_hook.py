"""Log and count the unreadable training images that were replaced."""

from itertools import chain
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS


@HOOKS.register_module()
class UnreadableImagesHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Log each unreadable image of training once, and their number at the end.

    ``mmvitkd.ImageFolder`` marks the samples that replace others. A single process logs at
    once; several exchange their findings at the end of an epoch and before a checkpoint, which
    holds the count for a resumed run.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}  # by path; the same in all processes
        self._draws = 0
        self._new: list[dict[str, str]] = []  # of this process, not yet exchanged

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Continue the count of a resumed run."""
        if runner._resume and 'unreadable_images' in checkpoint:
            self._reasons = dict(checkpoint['unreadable_images']['reasons'])
            self._draws = checkpoint['unreadable_images']['draws']

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Collect the marks of a batch."""
        samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
        marks = [getattr(sample, 'unreadable', None) for sample in samples or ()]
        self._new += filter(None, marks)
        if self._new and runner.world_size == 1:
            self._exchange(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Exchange and log."""
        self._exchange(runner)

    def before_checkpoint(self, runner: Runner) -> None:
        """Exchange and log: our ``CheckpointHook`` calls this in every process."""
        self._exchange(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Save the count."""
        if self._draws:
            found = dict(reasons=dict(self._reasons), draws=self._draws)
            checkpoint['unreadable_images'] = found

    def after_train(self, runner: Runner) -> None:
        """Log how many there were."""
        self._exchange(runner)
        if self._draws:
            runner.logger.warning(
                f'{len(self._reasons)} unreadable training images were replaced '
                f'({self._draws} draws)'
            )

    def _exchange(self, runner: Runner) -> None:
        """Gather the marks of all processes; the first one logs the new paths."""
        marks = [mark for rank in all_gather_object(self._new) for mark in rank]
        self._new = []
        self._draws += len(marks)
        for path, reason in chain.from_iterable(mark.items() for mark in marks):
            if path not in self._reasons:
                self._reasons[path] = reason
                runner.logger.warning(f'Unreadable image, replaced: {path}: {reason}')
