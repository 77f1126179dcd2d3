"""Find the hooks of a training that a test can do without."""

from typing import Any

from mmengine.hooks import EMAHook, Hook
from mmpretrain.registry import HOOKS


def runs_in_test(hook: dict[str, Any] | Hook) -> bool:
    """Return whether a hook has something to do in a test.

    A hook that acts in training or validation and not in a test, such as ``EarlyStoppingHook``,
    has not: it may need a training loop when the run begins. Neither has one that averages
    weights, since a test loads those that it is told to.

    Args:
        hook: The hook or its config.
    """
    kind: Any = hook.get('type') if isinstance(hook, dict) else type(hook)
    kind = HOOKS.get(kind) if isinstance(kind, str) else kind
    if not isinstance(kind, type):  # unknown: building it says so
        return True
    if issubclass(kind, EMAHook):
        return False
    stages = Hook.get_triggered_stages(kind)
    in_test = any('test' in stage for stage in stages)
    return in_test or not any('train' in stage or 'val' in stage for stage in stages)
