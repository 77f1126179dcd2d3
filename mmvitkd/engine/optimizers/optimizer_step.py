"""Tell whether an iteration ended in a step of the optimizer, where gradients accumulate."""

from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner


def is_optimizer_step(runner: Runner) -> bool:
    """Return whether the optimizer has used all gradients that were computed."""
    wrapper = runner.optim_wrapper
    wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
    return all(each.should_update() for each in wrappers)
