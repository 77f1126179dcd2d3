"""What a teacher can be told about how to compute: checks."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from .precision import PRECISIONS

SWITCHES = ('stop_early', 'compile', 'own_stream')


def check_options(options: Mapping[str, Any] | None, prefix: str = '') -> dict[str, Any]:
    """Check the options of a :class:`~mmvitkd.models.teachers.Teacher`.

    Args:
        options: Some of ``stop_early``, ``precision``, ``compile`` and ``own_stream``.
        prefix: What stands before their names in a config.

    Returns:
        The same as a dict.

    Raises:
        ValueError: Names the option, what was found and what is wanted.
    """
    if options is None:
        return {}
    known = (*SWITCHES, 'precision')
    if not isinstance(options, Mapping):
        wanted = ', '.join(f'{name}=' for name in known)
        raise ValueError(f'{prefix.rstrip(".")}={options!r}: wanted dict({wanted}).')
    for name, value in options.items():
        if name not in known:
            close = get_close_matches(str(name), known, n=1) or known
            raise ValueError(
                f'{prefix}{name}={value!r}: there is no such option. Close to it: '
                f'{", ".join(close)}.'
            )
        if name == 'precision' and value not in PRECISIONS:
            raise ValueError(
                f'{prefix}precision={value!r}: wanted one of '
                f'{", ".join(map(repr, PRECISIONS))}.'
            )
        if name in SWITCHES and not isinstance(value, bool):
            raise ValueError(f'{prefix}{name}={value!r}: wanted True or False.')
    return dict(options)
