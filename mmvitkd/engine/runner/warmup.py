"""Find how long the learning rate rises at the start of a run."""

from collections.abc import Mapping
from typing import Any

from mmengine.optim.scheduler import LinearParamScheduler
from mmengine.runner import Runner


def warmup_iters(runner: Runner) -> int:
    """Return the iterations in which the learning rate still rises from the start of a run."""
    found: Any = runner.param_schedulers or []
    groups = found.values() if isinstance(found, Mapping) else [found]
    length = len(runner.train_loop.dataloader)
    return max(
        (
            scheduler.end * (length if scheduler.by_epoch else 1)
            for group in groups
            for scheduler in group
            if isinstance(scheduler, LinearParamScheduler)
            and scheduler.begin == 0
            and scheduler.start_factor < scheduler.end_factor
        ),
        default=0,
    )
