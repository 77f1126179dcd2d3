"""Accept the old name of a renamed argument for one release, and log the new one."""

from collections.abc import Callable
from functools import wraps
from logging import WARNING
from typing import Any, TypeVar

from mmengine.logging import print_log

Function = TypeVar('Function', bound=Callable[..., Any])


def renamed_arguments(**names: str) -> Callable[[Function], Function]:
    """Decorate a function, or an ``__init__``, whose keyword arguments were renamed.

    Args:
        names: New names by old ones.

    Raises:
        TypeError: On a call, if the old and the new name are both given.
    """

    def decorate(function: Function) -> Function:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            owner = type(args[0]).__name__ if function.__name__ == '__init__' else ''
            return function(*args, **rename_keys(kwargs, names, owner or function.__name__))

        return wrapper  # type: ignore[return-value]

    return decorate


def rename_keys(given: dict[str, Any], names: dict[str, str], where: str) -> dict[str, Any]:
    """Return a dict with its old keys renamed, and log what to write instead.

    Args:
        given: Keyword arguments or a part of a config.
        names: New keys by old ones.
        where: The owner of the keys, for messages.

    Raises:
        TypeError: If an old and its new key are both given.
    """
    for old, new in names.items():
        if old in given and new in given:
            raise TypeError(f'{where}: {old} is the old name of {new}; give {new} only.')
    renamed = {names.get(key, key): value for key, value in given.items()}
    for old in names.keys() & given.keys():
        print_log(f'{where}: {old} is now called {names[old]}.', 'current', WARNING)
    return renamed
