"""Tell whether an iteration ended in a step of the optimizer, where gradients accumulate."""

from typing import Any

from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner


def is_optimizer_step(runner: Runner) -> bool:
    """Return whether the optimizer has used all gradients that were computed."""
    return all(each.should_update() for each in optim_wrappers(runner.optim_wrapper))


def optim_wrappers(wrapper: Any) -> list[Any]:
    """Return the optimizer's wrapper, or those of several optimizers."""
    return list(wrapper.values()) if isinstance(wrapper, OptimWrapperDict) else [wrapper]
