"""Compute the width of each block of a WideLast ViT, and its heads, by a schedule."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...utils.deprecation import renamed_arguments


@renamed_arguments(num_wide='num_wide_blocks')
def block_widths(
    arch: Mapping[str, Any],
    width: int | Sequence[int],
    num_heads: int | Sequence[int] | None = None,
    num_wide_blocks: int = 1,
    schedule: str | None = None,
) -> tuple[list[int], list[int]]:
    """Return widths and numbers of heads of all blocks (arXiv 2511.15572, WideLast).

    All but the last ``num_wide_blocks`` blocks are the base's. A schedule widens the rest to
    one ``width``. The first word of its name is what attention keeps: ``heads`` the base's
    head size, ``fixed`` its number of heads. The second is how the width grows: ``step`` at
    once, ``linear`` in ``num_wide_blocks`` equal steps. From 192, 3 heads, to 384:

    - ``heads_step``: 384 with 6 heads, the paper's. ``fixed_step``: 384 with 3.
    - ``heads_linear``, ``num_wide_blocks=3``: 256, 320, 384 with 4, 5, 6 heads.
    - ``fixed_linear``, ``num_wide_blocks=3``: 240, 312, 384 with 3 heads (each width rounded
      down to a multiple of 8 x heads).

    A list of widths, or any ``num_heads``, replaces the schedule; if both are given they must
    agree. Without ``num_heads`` a list keeps the head size.

    Args:
        arch: The base's ``embed_dims``, ``num_heads`` and ``num_layers``.
        width: Width of the last block, or one width for each wide block.
        num_heads: Heads of the wide blocks, one for each, or one number: that of all of
            them, or with a schedule that of the last.
        num_wide_blocks: Number of wide blocks.
        schedule: One of ``SCHEDULES``; None is ``heads_step`` unless lists are given.

    Returns:
        Two lists of ``num_layers`` entries: widths and numbers of heads.

    Raises:
        TypeError: If ``width`` or ``num_heads`` holds something that is not an int.
        ValueError: If anything else does not fit; the message names the key.

    Example:
        >>> deit_tiny = dict(embed_dims=192, num_heads=3, num_layers=4)
        >>> block_widths(deit_tiny, width=384)
        ([192, 192, 192, 384], [3, 3, 3, 6])
    """
    base, base_heads = arch['embed_dims'], arch['num_heads']
    narrow = arch['num_layers'] - num_wide_blocks
    if num_wide_blocks < 1 or narrow < 0:
        raise ValueError(
            f'num_wide_blocks={num_wide_blocks} must lie between 1 and the number of blocks, '
            f'{arch["num_layers"]}'
        )
    if schedule is not None and schedule not in SCHEDULES:
        raise ValueError(f'schedule={schedule!r} is none of {list(SCHEDULES)}')
    widths = _entries('width', width, num_wide_blocks)
    given = None if num_heads is None else _entries('num_heads', num_heads, num_wide_blocks)
    if schedule is None and (given is not None or isinstance(width, Sequence)):
        heads = given or _keep_head_size(base, base_heads, widths)
    else:
        name = schedule or 'heads_step'
        widths, heads = SCHEDULES[name](base, base_heads, widths[-1], num_wide_blocks)
        _check_agreement(name, width, num_heads, widths, heads)
    widths, heads = [base] * narrow + widths, [base_heads] * narrow + heads
    _check_blocks(base, widths, heads)
    return widths, heads


def _check_agreement(
    schedule: str,
    width: int | Sequence[int],
    num_heads: int | Sequence[int] | None,
    widths: list[int],
    heads: list[int],
) -> None:
    """Check that widths and heads given with a schedule are those of the schedule."""
    for key, given, computed in (('width', width, widths), ('num_heads', num_heads, heads)):
        wanted = computed[-1:] if isinstance(given, int) else computed
        if given is not None and _entries(key, given, len(wanted)) != wanted:
            raise ValueError(
                f'{key}={given} contradicts schedule={schedule!r}, which makes it {wanted}; '
                'leave one of them out'
            )


def _heads_step(
    base: int, heads: int, width: int, num_wide_blocks: int
) -> tuple[list[int], list[int]]:
    widths = [width] * num_wide_blocks
    return widths, _keep_head_size(base, heads, widths)


def _fixed_step(
    base: int, heads: int, width: int, num_wide_blocks: int
) -> tuple[list[int], list[int]]:
    return [width] * num_wide_blocks, [heads] * num_wide_blocks


def _heads_linear(
    base: int, heads: int, width: int, num_wide_blocks: int
) -> tuple[list[int], list[int]]:
    unit = num_wide_blocks * (base // heads)
    if (width - base) % unit:
        raise ValueError(
            f"width={width} does not fit schedule='heads_linear': {num_wide_blocks} equal "
            f'steps from {base} must each be a multiple of the head size '
            f'{base // heads}, so width - {base} must be a multiple of {unit}'
        )
    widths = _equal_steps(base, width, num_wide_blocks)
    return widths, _keep_head_size(base, heads, widths)


def _fixed_linear(
    base: int, heads: int, width: int, num_wide_blocks: int
) -> tuple[list[int], list[int]]:
    unit = 8 * heads
    if width % unit:
        raise ValueError(
            f"width={width} does not fit schedule='fixed_linear', which rounds widths "
            f'down to multiples of 8 x {heads} heads: width must be one of {unit}'
        )
    widths = [step // unit * unit for step in _equal_steps(base, width, num_wide_blocks)]
    return widths, [heads] * num_wide_blocks


SCHEDULES = {
    'heads_step': _heads_step,
    'fixed_step': _fixed_step,
    'heads_linear': _heads_linear,
    'fixed_linear': _fixed_linear,
}


def _equal_steps(base: int, width: int, num_wide_blocks: int) -> list[int]:
    return [base + (width - base) * k // num_wide_blocks for k in range(1, num_wide_blocks + 1)]


def _keep_head_size(base: int, heads: int, widths: list[int]) -> list[int]:
    """Return numbers of heads that keep the base's head size."""
    size = base // heads
    for width in widths:
        if width % size:
            raise ValueError(
                f"width={width} is not divisible by the base's head size, {size}; "
                "choose another width, give num_heads, or take schedule='fixed_step'"
            )
    return [width // size for width in widths]


def _entries(key: str, value: int | Sequence[int], num_wide_blocks: int) -> list[int]:
    """Return one entry for each wide block."""
    entries = list(value) if isinstance(value, Sequence) else [value] * num_wide_blocks
    if not all(isinstance(entry, int) for entry in entries):
        raise TypeError(f'{key} must be an int or a list of ints, found {value!r}')
    if len(entries) != num_wide_blocks:
        raise ValueError(
            f'{key}={entries} has {len(entries)} entries, but '
            f'num_wide_blocks={num_wide_blocks}: give one entry for each wide block'
        )
    return entries


def _check_blocks(base: int, widths: list[int], heads: list[int]) -> None:
    """Check that blocks are at least as wide as the base's, and divisible by their heads."""
    for index, (width, number) in enumerate(zip(widths, heads, strict=True)):
        if width < base:
            raise ValueError(
                f"width={width} of block {index} is below the base's embed_dims={base}"
            )
        if number < 1 or width % number:
            raise ValueError(
                f'width={width} of block {index} is not divisible by num_heads={number}'
            )
