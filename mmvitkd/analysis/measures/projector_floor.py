"""The measure 'subspace_floor': the least rotation behind a projector that all images share."""

from collections.abc import Iterator
from typing import Any

from ...models.losses.subspace_overlap import directions_of
from ...registry import MEASURES
from ..functional.subspace_floor import SubspaceFloor
from .base import Entry, Measure, Table
from .block import Batch, Block

# That of 'rotation', and about as many as hold 90 % of an image's energy (arXiv 2511.15572).
DIMS = (10, 30)
FLOOR_TABLE = Table('subspace_floors', ('directions', 'width', 'floor'))


def floor_rows(block: Entry) -> Iterator[tuple[Any, ...]]:
    """Yield the floor of each number of directions and each width."""
    for directions, found in block.get('subspace_floor', {}).items():
        for width, floor in enumerate(found['floor']):
            yield directions, width, floor


@MEASURES.register_module()
class SubspaceFloorMeasure(Measure):
    """Floors of ``SubspaceLoss`` of a student of each width, if this block is the teacher's."""

    name = 'subspace_floor'
    meaning = 'least rotation of directions behind a linear map that all images share'
    entries = ('subspace_floor',)
    columns = {
        'rotation floor': lambda block: _at_half(next(iter(block['subspace_floor'].values())))
    }
    column_note = (
        "Rotation floor: what no projector of a student of half the width can align of images' "
        f'{DIMS[0]} leading directions, 0 to 1.'
    )
    tables = {FLOOR_TABLE: floor_rows}
    scalars = {'half_width': columns['rotation floor']}

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        most = min(block.num_tokens, block.embed_dims)
        # One is measured of any block: fewer directions where there are not as many.
        wanted = sorted({min(DIMS[0], most), *(d for d in DIMS if d <= most)})
        self._floors = {str(d): SubspaceFloor(d) for d in wanted}

    @classmethod
    def state_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of the sums."""
        return super().state_bytes(block, num_blocks) + len(DIMS) * block.square_bytes

    @classmethod
    def result_bytes(cls, block: Block) -> int:
        """Return the bytes of an eigendecomposition."""
        return 6 * block.square_bytes

    @classmethod
    def workspace_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of copies of the tokens and of Gram matrices."""
        return 8 * block.double_bytes + 4 * block.gram_bytes

    def update(self, batch: Batch) -> None:
        """Add a batch, decomposed once."""
        directions = batch.once(directions_of).right
        for floor in self._floors.values():
            floor.add(directions)

    def result(self) -> dict[str, Any]:
        """Return the results of ``SubspaceFloor`` by the number of directions."""
        return {'subspace_floor': {d: each.result() for d, each in self._floors.items()}}


def _at_half(found: Entry) -> float:
    floors: list[float] = found['floor']
    return floors[(len(floors) - 1) // 2]
