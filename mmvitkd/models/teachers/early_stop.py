"""End a teacher's forward pass once everything that is recorded is computed."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from mmrazor.models.task_modules import RecorderManager
from mmrazor.models.task_modules.recorder import ModuleOutputsRecorder, ParameterRecorder
from torch import nn


class Stop(NamedTuple):
    """Where a forward pass may end: when a module returns from its n-th call."""

    module: nn.Module
    calls: int


class _Finished(BaseException):
    """Raised by a hook to leave a forward pass.

    No argument of a model does this: MMPretrain's backbones run to their end, and timm's
    ``forward_intermediates(stop_early=True)`` exists in some models only, and ends at blocks
    only. An exception from a hook leaves any of them, at any module. Some models catch
    ``Exception``, hence this base class.
    """


def recorded_modules(recorders: RecorderManager) -> set[str] | None:
    """Return the names of the recorded modules.

    None if a function or a method is recorded: the modules that call it are not known.
    """
    names = set()
    for recorder in recorders.recorders.values():
        if isinstance(recorder, ModuleOutputsRecorder):
            names.add(recorder.source)
        elif not isinstance(recorder, ParameterRecorder):
            return None
    return names


def find_stop(
    model: nn.Module, recorded: Collection[str], opaque: Collection[str], run: Callable[[], Any]
) -> Stop | None:
    """Run a model to its end, and find the call after which all recorded outputs exist.

    Args:
        model: The model, in eval mode.
        recorded: The names of the modules that are recorded.
        opaque: The names of modules, such as compiled ones, that are run to their end.
        run: Runs the model.

    Returns:
        Where it may stop from now on; None if that would skip nothing.
    """
    modules, returned = dict(model.named_modules()), list[str]()
    hooks = [
        module.register_forward_hook(lambda *_, name=name: returned.append(name))
        for name, module in modules.items()
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    wanted = {next((o for o in opaque if _is_within(name, o)), name) for name in recorded}
    if not wanted or not wanted <= set(returned):
        return None
    last = max(i for i, name in enumerate(returned) if name in wanted)
    name, rest = returned[last], returned[last + 1 :]
    if all(_is_within(name, other) for other in rest):
        return None
    return Stop(modules[name], returned.count(name))


@contextmanager
def stop_after(stop: Stop | None) -> Iterator[None]:
    """Run a model within this context, and leave the context at ``stop``."""
    if stop is None:
        yield
        return
    left = stop.calls

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise _Finished

    hook = stop.module.register_forward_hook(count)  # after those of the recorders
    try:
        yield
    except _Finished:
        pass
    finally:
        hook.remove()


def _is_within(name: str, other: str) -> bool:
    """Return whether one module is the other or a part of it, by their names."""
    return not other or name == other or name.startswith(f'{other}.')
