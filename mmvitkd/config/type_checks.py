"""Check a config before it is built: the type must be registered and take its arguments."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from inspect import Parameter
from typing import Any

from mmengine.registry import MODELS as ROOT
from mmengine.registry import DefaultScope, Registry

from ..suggestions import close_names, did_you_mean
from ..utils.errors import KeyedValueError
from .accepted_arguments import accepted_by

IMPORTED = ('mmpretrain', 'mmvitkd')  # so that a registry that is not there does not exist


def check_config(config: Mapping[str, Any], key: str, scope: str | None = None) -> Any:
    """Check the type and the argument names of a config.

    Args:
        config: What ``MODELS.build`` is given.
        key: Its key in a config file, for the message.
        scope: The scope it is built in, unless it states its own; None is the current one.

    Returns:
        The class or function that it names.

    Raises:
        KeyedValueError: The type is not registered, takes no such argument, or lacks one.
    """
    kind = registered_type(config, key, scope)
    names = [name for name in config if name not in ('type', '_scope_')]
    check_call(kind, names, key, type_name(kind))
    return kind


def registered_type(
    config: Mapping[str, Any], key: str, scope: str | None = None, root: Registry = ROOT
) -> Any:
    """Return the class or function that a config names.

    Args:
        config: What the registry's ``build`` is given.
        key: Its key in a config file, for the message.
        scope: The scope it is built in, unless it states its own; None is the current one.
        root: MMEngine's registry of its kind.

    Raises:
        KeyedValueError: The type is not registered.
    """
    kind = config.get('type') if isinstance(config, Mapping) else None
    if not kind:
        raise KeyedValueError(f'{{{key}}}={config!r}: wanted dict(type=...).', key)
    if not isinstance(kind, str):
        if callable(kind):
            return kind
        raise KeyedValueError(f'{{{key}.type}}={kind!r}: wanted a name.', f'{key}.type')
    scope = config.get('_scope_', scope)
    with _registry_of(root, scope) as registry:
        found = registry.get(kind)
        if found is not None:
            return found
        children = (*root.children.values(), registry)
        names = {n: f'{child.scope}.{n}' for child in children for n in child.module_dict}
        names.update({name: name for name in (*root.module_dict, *registry.module_dict)})
        where = f'_scope_ {registry.scope!r}'
    close = close_names(kind.rpartition('.')[2], names, n=3, cutoff=0.6)
    raise KeyedValueError(
        f'{{{key}.type}}={kind!r}: it is not registered in {where}. Similar names: '
        f'{", ".join(names[name] for name in close) or "none"}.',
        f'{key}.type',
    )


def _registry_of(root: Registry, scope: str | None) -> AbstractContextManager[Registry]:
    """Switch to the registry of a scope, as ``build`` does.

    MMEngine warns where a package has no registry of a kind, as MMPretrain has none of
    functions, and takes its own. That is what a config means by ``type='default_collate'``.
    """
    current = DefaultScope.get_current_instance()
    name = scope or (current.scope_name if current else None)
    if name in IMPORTED and name not in root.children:
        return nullcontext(root)
    context: AbstractContextManager[Registry] = root.switch_scope_and_registry(scope)
    return context


def check_call(call: Callable[..., Any], names: Iterable[str], key: str, called: str) -> None:
    """Check that a function takes keyword arguments of these names, and lacks none.

    Args:
        call: The function or class.
        names: The names of the arguments.
        key: Where they are in a config file, for the message.
        called: What the message calls the function.

    Raises:
        KeyedValueError: Names the argument, and those that there are.
    """
    known, is_open = accepted_by(call)
    names = list(names)
    for name in names:
        if name not in known and not is_open:
            raise KeyedValueError(
                f'{{{key}}}: {called} takes no argument {name!r} (it takes '
                f'{", ".join(known) or "none"}){did_you_mean(name, known)}',
                key,
            )
    for name, parameter in known.items():
        if parameter.default is Parameter.empty and name not in names:
            raise KeyedValueError(f'{{{key}}}: {called} needs the argument {name!r}.', key)


def takes_argument(call: Callable[..., Any], name: str) -> bool:
    """Return whether a function takes a keyword argument."""
    accepted = accepted_by(call)
    return name in accepted.parameters or accepted.is_open


def default_weight(kind: Callable[..., Any]) -> float:
    """Return the ``loss_weight`` of a loss whose config has none; 1 without a number."""
    parameter = accepted_by(kind).parameters.get('loss_weight')
    default = 1.0 if parameter is None else parameter.default
    is_number = isinstance(default, int | float) and not isinstance(default, bool)
    return float(default) if is_number else 1.0


def type_name(kind: Any) -> str:
    """Return what messages call a class or function."""
    return str(getattr(kind, '__name__', kind))
