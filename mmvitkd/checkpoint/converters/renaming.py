"""Rename a state dict by a table of names that can be reversed."""

import re
from collections.abc import Sequence

from torch import Tensor

from ...utils.errors import listed

Names = Sequence[tuple[str, str]]

SHOWN = 10  # keys in a message
FIELDS = {'{n}': r'(?P<n>\d+)', '{p}': r'(?P<p>weight|bias)'}


def reverse(names: Names) -> Names:
    """Return the same table, read from right to left."""
    return [(right, left) for left, right in names]


def rename(weights: dict[str, Tensor], names: Names, wanted: str) -> dict[str, Tensor]:
    """Rename tensors by a table.

    Args:
        weights: The tensors; they are shared with the result, in the same order.
        names: Pairs (old name, new name). ``{n}`` stands for a number and ``{p}`` for weight
            or bias; the new name has those of the old.
        wanted: What the old names should be, for the message.

    Raises:
        ValueError: If a key is not in the table, or two keys get one name.
    """
    patterns = [(_pattern(source), target) for source, target in names]
    renamed: dict[str, Tensor] = {}
    unknown = []
    for key, value in weights.items():
        name = _new_name(key, patterns)
        if name is None:
            unknown.append(key)
        elif name in renamed:
            raise ValueError(f'{key!r} is the second key that becomes {name!r}.')
        else:
            renamed[name] = value
    if unknown:
        raise ValueError(
            f'{len(unknown)} of {len(weights)} keys are unknown: {listed(unknown, SHOWN)}. '
            f'Wanted {wanted}.'
        )
    return renamed


def _pattern(name: str) -> re.Pattern[str]:
    pattern = re.escape(name)
    for field, expression in FIELDS.items():
        pattern = pattern.replace(re.escape(field), expression)
    return re.compile(pattern)


def _new_name(key: str, patterns: list[tuple[re.Pattern[str], str]]) -> str | None:
    for pattern, target in patterns:
        match = pattern.fullmatch(key)
        if match:
            return target.format(**match.groupdict())
    return None
