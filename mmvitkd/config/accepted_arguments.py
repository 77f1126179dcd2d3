"""Find the arguments that a class or function accepts, also those that go to its bases."""

import inspect
from collections.abc import Callable, Iterator
from inspect import Parameter
from typing import Any, NamedTuple, get_type_hints

from torch import nn

NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class Accepted(NamedTuple):
    """The arguments of a class or function.

    Attributes:
        parameters: By name, with the annotation resolved.
        is_open: Whether others may be taken too.
    """

    parameters: dict[str, Parameter]
    is_open: bool


def accepted_by(call: Callable[..., Any]) -> Accepted:
    """Return the arguments of a function, or of a class and of those it passes ``**kwargs`` to.

    Those are taken to be the bases, in order, until one takes no further ones.
    """
    parameters: dict[str, Parameter] = {}
    functions = list(_constructors(call))
    if not functions and issubclass(call, nn.Module):  # type: ignore[arg-type]  # a class
        return Accepted({}, False)
    for function in functions:
        found, is_open = _parameters(function)
        # What is required of a base may be supplied by the class.
        is_base = bool(parameters)
        for name, parameter in found.items():
            if is_base and parameter.default is Parameter.empty:
                parameter = parameter.replace(default=None)
            parameters.setdefault(name, parameter)
        if not is_open:
            return Accepted(parameters, _is_composed(call))
    return Accepted(parameters, True)


def _is_composed(call: Callable[..., Any]) -> bool:
    """Return whether keyword arguments of a class may go elsewhere than to its bases."""
    return any(p.kind is Parameter.VAR_KEYWORD for p in _signature(call))


def _constructors(call: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    if not inspect.isclass(call):
        yield call
        return
    for base in call.__mro__:
        # The keyword arguments of nn.Module are for the error message that it raises.
        if '__init__' in vars(base) and base not in (object, nn.Module):
            yield vars(base)['__init__']


def _signature(call: Callable[..., Any]) -> list[Parameter]:
    try:
        return list(inspect.signature(call).parameters.values())
    except (TypeError, ValueError):  # of a builtin
        return [Parameter('kwargs', Parameter.VAR_KEYWORD)]


def _parameters(function: Callable[..., Any]) -> tuple[dict[str, Parameter], bool]:
    """Return the named parameters of a function, and whether it takes any keyword."""
    given = _signature(function)
    inner = inspect.unwrap(function)
    try:
        hints = get_type_hints(inner)
    except Exception:  # a name that only a type checker imports
        hints = {}
    named = {
        p.name: p.replace(annotation=hints.get(p.name, Parameter.empty))
        for p in given
        if p.kind in NAMED and p.name != 'self'
    }
    return named, any(p.kind is Parameter.VAR_KEYWORD for p in given)
