"""Suggest names that are close to a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches


def close_names(
    name: object, names: Iterable[str], n: int = 5, cutoff: float = 0.4
) -> list[str]:
    """Return at most ``n`` names close to a wrong one, the closest first, in any case.

    >>> close_names('Adamw', ['Adam', 'AdamW', 'NAdam'], n=1)
    ['AdamW']
    """
    by_lower = {each.lower(): each for each in sorted(set(names))}
    found = get_close_matches(str(name).lower(), by_lower, n=n, cutoff=cutoff)
    return [by_lower[each] for each in found]


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """Return ``'; did you mean X or Y?'``, or an empty string if nothing is close."""
    close = close_names(name, names, n=3, cutoff=0.5)
    return f'; did you mean {" or ".join(close)}?' if close else ''
