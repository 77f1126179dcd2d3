"""How alike a model's blocks are to each other, by linear CKA."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

from torch import Tensor

from ..features.extractor import Key
from ..functional.cka import LinearCKA

# Blocks up to which all are compared with all; of more, each with the last one: the sums for
# all pairs of 24 blocks would cost as much as the model.
ALL_PAIRS = 6


class BlockCKA:
    """CKA of each block to the last one, and of few blocks to all others.

    The rows that are compared are tokens where all blocks have as many, and else the images'
    mean tokens, as between the stages of Swin.

    Args:
        num_tokens: N of each of 2 blocks or more, by their keys, in their order.
    """

    def __init__(self, num_tokens: Mapping[Key, int]) -> None:
        rows = 'tokens' if len({*num_tokens.values()}) == 1 else 'images'
        self._keys = [*num_tokens]
        *others, last = self._keys
        groups: list[Sequence[Key]] = [(key, last) for key in others]
        if len(self._keys) <= ALL_PAIRS:
            groups = [self._keys]
        self._ckas = [(group, LinearCKA(rows)) for group in groups]

    def update(self, features: Mapping[Key, Tensor]) -> None:
        """Add the patch tokens (B, N, D) of B images at all blocks."""
        for group, cka in self._ckas:
            cka.update(*(features[key] for key in group))

    def result(self) -> dict[Key, dict[str, Any]]:
        """The blocks' 'cka' in the report.

        Returns:
            For each block 'rows' and 'num_rows'; 'to', its CKA by the keys of the blocks it
            was compared with, as words; 'null', the same of shuffled rows.

        Raises:
            ValueError: If a block has the same row everywhere; names the blocks.
        """
        found: dict[Key, dict[str, Any]] = {key: dict(to={}, null={}) for key in self._keys}
        for group, cka in self._ckas:
            try:
                result = cka.result()
            except ValueError as error:
                names = ', '.join(map(str, group))
                raise ValueError(f'cka of blocks {names} (sources from 0): {error}') from None
            for (i, key), (j, other) in permutations(enumerate(group), 2):
                found[key] |= dict(rows=result['rows'], num_rows=result['num_rows'])
                found[key]['to'][str(other)] = result['matrix'][i][j]
                found[key]['null'][str(other)] = result['null'][i][j]
        return found
