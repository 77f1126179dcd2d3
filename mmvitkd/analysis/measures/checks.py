"""Check what measures return, and name the measure in what they raise."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...utils.errors import add_note
from .base import Entry, Measure


@contextmanager
def named_errors(where: str) -> Iterator[None]:
    """A context in which errors get a note of where they were raised."""
    try:
        yield
    except Exception as error:
        add_note(error, f'({where})')
        raise


def check_entries(measure: type[Measure], found: Any, where: str) -> dict[str, Any]:
    """Return what a measure's ``result`` gave for a block, if it is what it announces.

    Raises:
        TypeError: If an entry is missing, unannounced, lacks what is ``required``, or cannot be
            written as JSON; names the measure and the block.
        ValueError: If a number is not finite; likewise.
    """
    where = f'measure {measure.name!r}, {where}: result()'
    if not isinstance(found, dict) or set(found) != set(measure.entries):
        keys = list(found) if isinstance(found, dict) else found
        raise TypeError(f'{where} has {keys!r}, wanted its entries {measure.entries}.')
    for key, value in found.items():
        _check_plain(value, f'{where}[{key!r}]')
    problem = required_problem(measure, found)
    if problem:
        raise TypeError(f'{where}: {problem}')
    return found


def required_problem(measure: type[Measure], entry: Entry) -> str:
    """Return what an entry lacks of what a measure requires, in words, or ''."""
    for path, keys in measure.required.items():
        found: Any = entry
        place: list[str] = []
        for key in path.split('.'):
            if key not in found:
                break
            found = found[key]
            place.append(key)
            if not isinstance(found, dict):
                return f'{".".join(place)}: found {found!r:.40}, wanted keys and values.'
        else:
            for key in keys:
                if key not in found:
                    return f'{path}: found no {key!r}, wanted one.'
    return ''


def was_measured(measure: type[Measure], entry: Entry) -> bool:
    """Return whether an entry of a report has what a measure gives."""
    for path in (*measure.entries, *measure.required):
        found: Any = entry
        for key in path.split('.'):
            if key not in found:
                return False
            found = found[key]
    return True


def _check_plain(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                raise TypeError(f'{where}: found the key {key!r}, wanted strings.')
            _check_plain(part, f'{where}[{key!r}]')
    elif isinstance(value, list | tuple):
        for part in value:
            _check_plain(part, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f'{where}: found {value}, wanted finite numbers.')
    elif not isinstance(value, str | int | float | None):
        kind = type(value).__name__
        raise TypeError(f'{where}: found a {kind}, wanted numbers, text, lists and dicts.')
