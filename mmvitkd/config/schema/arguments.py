"""Check the arguments of a part against the signature of what it builds."""

import inspect
import types
from collections.abc import Callable, Mapping
from collections.abc import Sequence as AbstractSequence
from inspect import Parameter
from typing import (
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from ...suggestions import close_names, did_you_mean
from ...utils.errors import KeyedValueError
from ..accepted_arguments import NAMED, accepted_by
from ..type_checks import type_name
from .parts import Part

# What registries and configs read in any part.
ALWAYS = ('type', '_scope_', '_delete_', 'init_cfg')
# Of difflib's ratio: with further keyword arguments, only misspellings are known to be wrong.
CUTOFF = 0.7
# Packages whose annotations are exact.
EXACT = ('mmvitkd', 'mmengine', 'torch')
# MMEngine's AmpOptimWrapper says str of what may be a number, or a dict.
LOOSE = ('loss_scale',)
MEASURED = ('mean', 'std')  # of the training images, before the runner is built


def check_arguments(part: Part) -> None:
    """Check the names and the types of a part's arguments.

    Raises:
        KeyedValueError: An argument is not taken, or its value is of another type than its
            annotation or, without one, its default.
    """
    accepted = accepted_by(part.call)
    known = (accepted.parameters.keys() - set(part.supplied)) | set(part.extra)
    called = type_name(part.call)
    for name, value in part.settings.items():
        key = f'{part.key}.{name}'
        if not isinstance(name, str):
            raise KeyedValueError(f'{{{part.key}}}: {name!r} is no name.', part.key)
        parameter = accepted.parameters.get(name)
        if name in ALWAYS or name in part.extra or _is_variadic(parameter):
            continue
        if name not in known and not (accepted.is_open and not _misspelt(name, known)):
            listed = ', '.join(sorted(known)) or 'none'
            raise KeyedValueError(
                f'{{{key}}}: {called} takes no argument {name!r} (it takes {listed})'
                f'{did_you_mean(name, known)}',
                key,
            )
        if parameter is None or name in LOOSE or (name in MEASURED and value == 'measured'):
            continue
        if not suits(value, parameter, _is_exact(part.call)):
            raise KeyedValueError(
                f'{{{key}}}={value!r}: {called} takes {_wanted(parameter)}{_hint(value)}.', key
            )
    for name, parameter in accepted.parameters.items():
        is_given = name in part.settings or name in part.supplied
        if parameter.default is Parameter.empty and not is_given:
            close = close_names(name, part.settings, n=1, cutoff=CUTOFF)
            found = f'; found {close[0]!r}' if close else ''
            raise KeyedValueError(
                f'{{{part.key}.{name}}}: {called} needs this argument{found}.',
                f'{part.key}.{name}',
            )


def _misspelt(name: str, known: set[str]) -> bool:
    return bool(close_names(name, known, n=1, cutoff=CUTOFF))


def _is_variadic(parameter: Parameter | None) -> bool:
    return parameter is not None and parameter.kind not in NAMED


def _is_exact(call: Callable[..., Any]) -> bool:
    """Return whether the annotations are those that a type checker has seen."""
    return call.__module__.partition('.')[0] in EXACT


def suits(value: Any, parameter: Parameter, is_exact: bool = True) -> bool:
    """Return whether a value is of the annotated type or, without one, like the default.

    A dict suits where an object is wanted, which is built from it; so does what is not
    understood.

    Args:
        value: The value.
        parameter: The parameter.
        is_exact: Whether its annotation says all; if not, lists, dicts and other numbers suit.
    """
    default = parameter.default
    if default is not Parameter.empty and type(value) is type(default) and value == default:
        return True
    if value is None and default is None:
        return True
    if not is_exact and isinstance(value, list | tuple | Mapping):
        return isinstance(value, Mapping) or not isinstance(default, str)
    if not is_exact and type(value) in (int, float):
        value = 1  # MMPretrain says int of ratios
        if isinstance(default, int | float) or fits(1.0, parameter.annotation):
            return True
    if parameter.annotation is not Parameter.empty:
        return fits(value, parameter.annotation)
    if isinstance(value, str | None):
        return not isinstance(default, bool | int | float | tuple | list)
    return True


def fits(value: Any, annotation: Any) -> bool:
    """Return whether the value of a setting is of an annotated type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any or isinstance(annotation, TypeVar | str):
        return True
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    if annotation is None or annotation is type(None):
        return value is None
    kind = origin or annotation
    if not inspect.isclass(kind):
        return True
    if isinstance(value, bool):
        return kind in (bool, object)
    if kind is float:
        return isinstance(value, int | float)
    if kind in (list, tuple) or kind is AbstractSequence:
        is_fixed = kind is tuple and len(arguments) > 1 and Ellipsis not in arguments
        return _fits_sequence(value, arguments, is_fixed)
    if isinstance(value, Mapping):
        return kind not in (int, str, bool)
    if isinstance(value, str) and kind in (int, bool, dict):
        return False
    return isinstance(value, kind) or _is_factory(kind)


def _fits_sequence(value: Any, arguments: tuple[Any, ...], is_fixed: bool) -> bool:
    if isinstance(value, str | Mapping) or not isinstance(value, AbstractSequence):
        return False
    kinds = [each for each in arguments if each is not Ellipsis]
    if is_fixed:
        return len(value) == len(kinds) and all(map(fits, value, kinds))
    return not kinds or all(fits(each, kinds[0]) for each in value)


def _is_factory(kind: type) -> bool:
    """Return whether something of this kind may be made from what a config can hold."""
    return kind.__module__ not in ('builtins', 'torch.nn.modules.module', 'numbers', 'torch')


def _wanted(parameter: Parameter) -> str:
    annotation = parameter.annotation
    if annotation is Parameter.empty:
        return f'a value like {parameter.default!r}'
    text = annotation.__name__ if inspect.isclass(annotation) else str(annotation)
    return text.replace('typing.', '').replace('collections.abc.', '')


def _hint(value: Any) -> str:
    """Return what to write instead, for a number in quotes."""
    if not isinstance(value, str):
        return ''
    try:
        float(value)
    except ValueError:
        return ''
    return f'; write {value} without quotes'
