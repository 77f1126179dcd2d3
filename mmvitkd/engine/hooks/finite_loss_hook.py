"""Stops a run whose loss is NaN or infinite, without a synchronisation every step."""

from typing import Any

import torch
from mmengine.hooks import Hook, LoggerHook
from torch import Tensor

from ...registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops the run at the first logging interval after a loss was not finite.

    The first bad iteration and its loss terms are kept on the device, and read when
    training logs, at the end of an epoch, and before a checkpoint is written: a checkpoint
    never holds what a bad loss made of the weights.

    Args:
        interval: Iterations between two looks; None for the interval of the ``LoggerHook``.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self, interval: int | None = None) -> None:
        if interval is not None and interval < 1:
            raise ValueError(f'FiniteLossHook.interval={interval}: wanted 1 or more.')
        self.interval = interval
        self._names: list[str] = []
        self._terms: Tensor | None = None
        self._first_bad: Tensor | None = None

    def before_train(self, runner) -> None:
        """Take the interval of the log."""
        if self.interval is None:
            intervals = [h.interval for h in runner.hooks if isinstance(h, LoggerHook)]
            self.interval = intervals[0] if intervals else 10

    def after_train_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Tensor] | None = None,
    ) -> None:
        """Note on the device whether this is the first bad iteration."""
        losses = {k: v for k, v in (outputs or {}).items() if 'loss' in k}
        if not losses:
            return
        terms = torch.stack([v.detach().float() for v in losses.values()])
        names = list(losses)
        if self._first_bad is None or self._terms is None or self._names != names:
            self._check(runner)  # of the old terms: they can come and go
            self._names, self._terms = names, terms
            self._first_bad = torch.full((), -1, device=terms.device)
        newly_bad = ~terms.isfinite().all() & (self._first_bad < 0)
        self._terms = torch.where(newly_bad, terms, self._terms)
        # torch.where would copy the number to the device, and wait for it.
        self._first_bad = self._first_bad.masked_fill(newly_bad, runner.iter)
        if self.every_n_inner_iters(batch_idx, self.interval):  # as the LoggerHook counts
            self._check(runner)

    def after_train_epoch(self, runner) -> None:
        """Look at the end of every epoch."""
        self._check(runner)

    def before_checkpoint(self, runner) -> None:
        """Look, in every process, before our ``CheckpointHook`` deletes or writes a file."""
        self._check(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Look before anything else writes one."""
        self._check(runner)

    def _check(self, runner) -> None:
        """Raise FloatingPointError if an iteration was bad."""
        if self._first_bad is None or self._terms is None or self._first_bad.item() < 0:
            return
        terms = zip(self._names, self._terms.tolist(), strict=True)
        last = runner.message_hub.get_info('last_ckpt', 'none was saved')
        raise FloatingPointError(
            f'The loss is not finite since iteration {int(self._first_bad) + 1} '
            f'(epoch {runner.epoch + 1}, rank {runner.rank}): '
            f'{", ".join(f"{name}={value:.6g}" for name, value in terms)}. '
            f'Last checkpoint: {last}.'
        )
