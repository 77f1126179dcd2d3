"""The measure 'svd': directions of its own that hold an image's energy."""

from typing import Any

from ...registry import MEASURES
from ..functional.singular_values import SVDDimensions, singular_values
from ..plotting.directions import DIMENSIONS, ENERGY, LAYERS
from . import shared_tables as shared
from .base import Measure
from .block import Batch, Block


@MEASURES.register_module()
class SVDMeasure(Measure):
    """How many singular values hold 80 to 99 % of an image's energy (arXiv 2511.15572)."""

    name = 'svd'
    meaning = "directions of its own that hold an image's energy"
    entries = ('svd',)
    columns = {'SVD 99 %': shared.p99('svd')}
    column_note = shared.DIRECTIONS_NOTE
    tables = {
        shared.DIMENSIONS: shared.dimension_rows('svd'),
        shared.ENERGY_CURVES: shared.energy_curve_rows('svd'),
    }
    figures = (LAYERS, DIMENSIONS, ENERGY)
    numbers = (shared.dimension_table, shared.published_note)
    required = {'svd': ('curve', 'std')}
    scalars = {
        'svd99': lambda block: block['svd']['0.99']['mean'],
        'svd99_p99': shared.p99('svd'),
    }

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._dimensions = SVDDimensions()

    @classmethod
    def workspace_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of copies of the tokens and of Gram matrices."""
        return 8 * block.double_bytes + 4 * block.gram_bytes

    def update(self, batch: Batch) -> None:
        """Add the singular values of a batch."""
        self._dimensions.add(batch.once(singular_values))

    def result(self) -> dict[str, Any]:
        """Return the result of ``SVDDimensions``, without the effective rank."""
        found = self._dimensions.result()
        del found['effective_rank']
        return {'svd': found}
