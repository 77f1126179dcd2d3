"""Find how long the learning rate rises at the start of a run."""

from collections.abc import Mapping
from typing import Any

from mmengine.optim.scheduler import LinearParamScheduler
from mmengine.runner import Runner

from ..optimizers.deit_cosine_lr import DeiTCosineLR


def warmup_iters(runner: Runner) -> int:
    """Return the iterations in which the learning rate still rises from the start of a run."""
    found: Any = runner.param_schedulers or []
    groups = found.values() if isinstance(found, Mapping) else [found]
    length = len(runner.train_loop.dataloader)
    return max(
        (
            _rises_for(scheduler) * (length if scheduler.by_epoch else 1)
            for group in groups
            for scheduler in group
        ),
        default=0,
    )


def _rises_for(scheduler: Any) -> int:
    """Return the epochs or iterations in which a scheduler's rate rises from the start."""
    if isinstance(scheduler, DeiTCosineLR):
        return scheduler.warmup_epochs + 1  # one epoch late
    linear = isinstance(scheduler, LinearParamScheduler) and scheduler.begin == 0
    return int(scheduler.end) if linear and scheduler.start_factor < scheduler.end_factor else 0
