"""Say which settings of a resumed run have no effect, as its checkpoint's count."""

from collections.abc import Mapping
from typing import Any

from mmengine.runner import Runner

from .resume import Schedule

# What changes while a run goes on, in the state of a scheduler or a group of the optimizer.
PROGRESS = ('last_step', '_global_step', '_last_value', 'base_values', 'verbose')
# What follows from the number of epochs.
LENGTH = ('end', 'T_max')
# How the optimizer computes, not what.
IMPLEMENTATION = ('foreach', 'fused', 'capturable', 'differentiable')


def ignored_settings(runner: Runner, wanted: Schedule, total: int) -> list[str]:
    """Compare the schedule of a config with that of the checkpoint a runner has resumed from.

    Args:
        runner: The runner.
        wanted: The schedule as the config builds it.
        total: The iterations of the run that wrote the checkpoint; 0 if unknown.

    Returns:
        Each setting that differs, with the config's value and the checkpoint's, once.
    """
    loaded = Schedule.of(runner)
    has_other_length = total not in (0, runner.max_iters)
    found = []
    for one, other in zip(wanted.groups, loaded.groups, strict=False):
        found += _differences(_constants(one), _constants(other), 'optimizer')
    for i, (one, other) in enumerate(zip(wanted.states, loaded.states, strict=False)):
        left_out = {*PROGRESS, *(LENGTH if has_other_length else ())}
        one = {key: value for key, value in one.items() if key not in left_out}
        found += _differences(one, other, f'param_scheduler.{i}')
    if has_other_length:
        found.append(
            f'a schedule of {runner.max_iters} iterations instead of {total}, after which the '
            'learning rate stays as it is'
        )
    return list(dict.fromkeys(found))


def _constants(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a group that no scheduler changes, by the names in a config."""
    return {
        key.removeprefix('initial_'): value
        for key, value in group.items()
        if f'initial_{key}' not in group and key not in IMPLEMENTATION
    }


def _differences(one: Mapping[str, Any], other: Mapping[str, Any], key: str) -> list[str]:
    return [
        f'{key}.{name}={value} instead of {other[name]}'
        for name, value in one.items()
        if name in other and not callable(value) and _plain(value) != _plain(other[name])
    ]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
