"""Stop a run whose loss or weights are not finite, without synchronising at every step."""

from typing import Any

import torch
from mmengine.hooks import EMAHook, Hook, LoggerHook
from mmengine.runner import Runner
from torch import Tensor

from ...registry import HOOKS
from ...utils.errors import listed
from ...utils.unwrap import unwrap_model


@HOOKS.register_module()
class FiniteLossHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Stop the run at the first logging interval after a loss was not finite.

    The first bad iteration and its loss terms are kept on the device, and read when training
    logs, at the end of an epoch, and before a checkpoint is written, so that no checkpoint
    holds weights that a bad loss has changed. The parameters and their average are checked
    before a checkpoint, too: a weight can be bad while the loss is not.

    Args:
        interval: Iterations between two checks; None for the interval of the ``LoggerHook``.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self, interval: int | None = None) -> None:
        if interval is not None and interval < 1:
            raise ValueError(f'FiniteLossHook.interval={interval}: wanted 1 or more.')
        self.interval = interval
        self._names: list[str] = []
        self._terms: Tensor | None = None
        self._first_bad: Tensor | None = None

    def before_train(self, runner: Runner) -> None:
        """Use the interval of the log by default."""
        if self.interval is None:
            intervals = [h.interval for h in runner.hooks if isinstance(h, LoggerHook)]
            self.interval = intervals[0] if intervals else 10

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Tensor] | None = None,
    ) -> None:
        """Record on the device whether this is the first bad iteration."""
        losses = {k: v for k, v in (outputs or {}).items() if 'loss' in k}
        if not losses:
            return
        terms = torch.stack([v.detach().float() for v in losses.values()])
        names = list(losses)
        if self._first_bad is None or self._terms is None or self._names != names:
            self._raise_if_bad(runner)  # the loss terms changed: check the old ones first
            self._names, self._terms = names, terms
            self._first_bad = torch.full((), -1, device=terms.device)
        newly_bad = ~terms.isfinite().all() & (self._first_bad < 0)
        self._terms = torch.where(newly_bad, terms, self._terms)
        # torch.where would copy the number to the device and synchronise.
        self._first_bad = self._first_bad.masked_fill(newly_bad, runner.iter)
        if self.every_n_inner_iters(batch_idx, self.interval):  # as the LoggerHook counts
            self._raise_if_bad(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Check at the end of every epoch."""
        self._raise_if_bad(runner)

    def before_checkpoint(self, runner: Runner) -> None:
        """Check in every process, before our ``CheckpointHook`` deletes or writes a file."""
        self._raise_if_bad(runner)
        self._raise_if_bad_weights(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check before anything else writes a checkpoint."""
        self._raise_if_bad(runner)

    def _raise_if_bad(self, runner: Runner) -> None:
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

    def _raise_if_bad_weights(self, runner: Runner) -> None:
        """Raise FloatingPointError if a weight is not finite, with one synchronisation."""
        weights = dict(unwrap_model(runner.model).named_parameters())
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                averaged = hook.ema_model.module.named_parameters()
                weights |= {f'EMA of {name}': value for name, value in averaged}
        weights = {name: value.detach() for name, value in weights.items() if value.numel()}
        if not weights:
            return
        # A sum is not finite if a term is not; a float64 sum of float32 never overflows.
        sums = [value.sum(dtype=torch.float64) for value in weights.values()]
        finite = torch.stack([each.to(sums[0].device) for each in sums]).isfinite()
        if finite.all():
            return
        bad = [name for name, good in zip(weights, finite.tolist(), strict=True) if not good]
        raise FloatingPointError(
            f'Weights are not finite after iteration {runner.iter} (epoch {runner.epoch + 1}, '
            f'rank {runner.rank}): {listed(bad)}. They are not saved. '
            f'Last checkpoint: {runner.message_hub.get_info("last_ckpt", "none was saved")}.'
        )
