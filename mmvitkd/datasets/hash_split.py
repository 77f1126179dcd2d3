"""Split names by their hashes: the same on every machine, in every process and version."""

from collections.abc import Sequence
from hashlib import sha256


def hash_split(names: Sequence[str], ratio: float, seed: int = 0) -> set[str]:
    """Draw some of the names: those with the smallest hashes.

    The order of the names does not matter, no random state is read or changed, and most of a
    draw stays the same when names are added.

    Args:
        names: Two or more, such as the paths of a class's images.
        ratio: The share to draw; at least one name is drawn, and at least one is not.
        seed: Another seed gives another draw.
    """
    number = min(max(round(len(names) * ratio), 1), len(names) - 1)
    return set(sorted(names, key=lambda name: _hash(name, seed))[:number])


def _hash(name: str, seed: int) -> bytes:
    # A file name need not be valid text.
    return sha256(f'{seed}/{name}'.encode('utf-8', 'surrogateescape')).digest()
