"""Check the options of the live teacher, ``teacher_options`` of a config."""

from collections.abc import Mapping
from typing import Any

from ...config.fast import RENAMED_OPTIONS
from ...suggestions import did_you_mean
from ...utils.deprecation import rename_keys
from .precision import PRECISIONS

SWITCHES = ('stop_early', 'compile', 'cuda_stream')


def check_options(options: Mapping[str, Any] | None, prefix: str = '') -> dict[str, Any]:
    """Check the options of a :class:`~mmvitkd.models.teachers.Teacher`.

    Args:
        options: Some of ``stop_early``, ``precision``, ``compile`` and ``cuda_stream``; its old
            name, ``own_stream``, is still accepted.
        prefix: What precedes their names in a config.

    Returns:
        The options as a dict, by their new names.

    Raises:
        TypeError: If an option is given by its old and its new name.
        ValueError: If one is wrong; the message names it, what was found and what was wanted.
    """
    if options is None:
        return {}
    known = (*SWITCHES, 'precision')
    if not isinstance(options, Mapping):
        wanted = ', '.join(f'{name}=' for name in known)
        raise ValueError(f'{prefix.rstrip(".")}={options!r}: wanted dict({wanted}).')
    options = rename_keys(dict(options), RENAMED_OPTIONS, prefix.rstrip('.') or 'Teacher')
    for name, value in options.items():
        if name not in known:
            raise ValueError(
                f'{prefix}{name}={value!r}: there is no such option; wanted one of '
                f'{", ".join(known)}{did_you_mean(name, known)}'
            )
        if name == 'precision' and value not in PRECISIONS:
            raise ValueError(
                f'{prefix}precision={value!r}: wanted one of '
                f'{", ".join(map(repr, PRECISIONS))}.'
            )
        if name in SWITCHES and not isinstance(value, bool):
            raise ValueError(f'{prefix}{name}={value!r}: wanted True or False.')
    return options
