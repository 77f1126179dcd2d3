"""A part of some names that is the same on every machine, in every process and version."""

from collections.abc import Sequence
from hashlib import sha256


def held_out(names: Sequence[str], share: float, seed: int = 0) -> set[str]:
    """Draw some of the names.

    The names with the smallest hashes are drawn: their order does not matter, no random
    state is read or moved, and most of a draw stays as it is when names are added.

    Args:
        names: Two or more, such as the paths of a class's images.
        share: How many of them; at least one is drawn, and at least one is not.
        seed: Another seed is another draw.
    """
    number = min(max(round(len(names) * share), 1), len(names) - 1)
    return set(sorted(names, key=lambda name: _hash(name, seed))[:number])


def _hash(name: str, seed: int) -> bytes:
    # A file name need not be valid text.
    return sha256(f'{seed}/{name}'.encode('utf-8', 'surrogateescape')).digest()
