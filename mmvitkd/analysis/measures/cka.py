"""The measure 'cka': the similarity of a model's blocks to the last one, by linear CKA."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

from ...registry import MEASURES
from ...utils.tables import markdown_table
from ..features.extractor import Key
from ..functional.linear_cka import LinearCKA
from ..plotting.panels import block_label
from .base import BLOCKS, Entry, Measure, Table
from .block import Batch, Block
from .shared_tables import format_digits

ALIGNMENT = Table('alignment', ('other', 'cka', 'null', 'rows', 'num_rows'))
# Up to this many blocks, all are compared with all; with more, each with the last one: the
# sums for all pairs of 24 blocks would cost as much as the model.
ALL_PAIRS = 6


def alignment_rows(block: Entry) -> Iterator[tuple[Any, ...]]:
    """Yield the CKA of a block to each block that it was compared with."""
    if 'cka' in block:
        cka = block['cka']
        for other, value in cka['to'].items():
            yield other, value, cka['null'][other], cka['rows'], cka['num_rows']


def alignment_table(report: Mapping[str, Any]) -> list[str]:
    """Return a table of the CKA of all blocks to the last one."""
    blocks = report['blocks']
    last = list(blocks)[-1]
    rows = [
        [
            block_label(key),
            format_digits(cka['to'][last]),
            format_digits(cka['null'][last]),
            cka['rows'],
        ]
        for key, cka in ((key, block.get('cka', {'to': {}})) for key, block in blocks.items())
        if last in cka['to']
    ]
    if not rows:
        return []
    return [
        f'## Linear CKA to {block_label(last)}',
        markdown_table(['', 'CKA', 'null', 'rows'], rows),
        'From 0 to 1; rotating or scaling all channels changes nothing. With few rows relative '
        'to the channels it is high for any features: the null is its value for shuffled rows, '
        'a lower bound if the rows are tokens, as those of an image are similar.',
    ]


@MEASURES.register_module()
class CKAMeasure(Measure):
    """CKA of each block to the last one, and between all blocks if they are few.

    The rows are tokens if all blocks have the same number of them, otherwise the images' mean
    tokens, as for the stages of Swin.
    """

    name = 'cka'
    meaning = 'similarity of blocks to the last one'
    needs = BLOCKS
    entries = ('cka',)
    columns = {}  # it has a table of its own
    tables = {ALIGNMENT: alignment_rows}
    details = (alignment_table,)
    # In a training, the student's layer is compared with the teacher's alone.
    scalars = {
        'cka': lambda block: [*block['cka']['to'].values()][-1],
        'cka_null': lambda block: [*block['cka']['null'].values()][-1],
    }

    def __init__(self, blocks: Sequence[Block]) -> None:
        super().__init__(blocks)
        rows = 'tokens' if len({block.num_tokens for block in blocks}) == 1 else 'images'
        self._keys = [block.key for block in blocks]
        *others, last = self._keys
        groups: list[Sequence[Key]] = [(key, last) for key in others]
        if len(blocks) <= ALL_PAIRS:
            groups = [self._keys]
        self._ckas = [(group, LinearCKA(rows)) for group in groups]

    @classmethod
    def state_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of a block's share of the products of pairs."""
        return block.square_bytes * (3 if num_blocks > ALL_PAIRS else (num_blocks + 2) // 2)

    @classmethod
    def result_bytes(cls, block: Block) -> int:
        """Return the bytes of the squares of the products."""
        return 6 * block.square_bytes

    @classmethod
    def workspace_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of copies of the tokens of all blocks that are compared."""
        together = num_blocks if num_blocks <= ALL_PAIRS else 0
        return (8 + together) * block.double_bytes

    def update(self, batches: Mapping[Key, Batch]) -> None:
        """Add the batches of all blocks, of the same images."""
        for group, cka in self._ckas:
            cka.update(*(batches[key].tokens for key in group))

    def result(self) -> dict[Key, dict[str, Any]]:
        """Return the CKA of each block to others, and its value for shuffled rows.

        Returns:
            For each block 'rows' and 'num_rows'; 'to', its CKA by the keys of the blocks it
            was compared with, as text; 'null', the same for shuffled rows.

        Raises:
            ValueError: If all rows of a block are the same; names the blocks.
        """
        found: dict[Key, dict[str, Any]] = {key: dict(to={}, null={}) for key in self._keys}
        for group, cka in self._ckas:
            try:
                result = cka.result()
            except ValueError as error:
                names = ', '.join(map(str, group))
                raise ValueError(f'blocks {names} (sources from 0): {error}') from error
            for (i, key), (j, other) in permutations(enumerate(group), 2):
                found[key] |= dict(rows=result['rows'], num_rows=result['num_rows'])
                found[key]['to'][str(other)] = result['matrix'][i][j]
                found[key]['null'][str(other)] = result['null'][i][j]
        return {key: {'cka': entry} for key, entry in found.items()}
