"""The measure 'effective_rank': exponential of the entropy of an image's singular values."""

from typing import Any

from ...registry import MEASURES
from ..functional.singular_values import SVDDimensions, singular_values
from ..plotting.depth import IN_USE
from . import shared_tables as shared
from .base import Measure
from .block import Batch, Block


@MEASURES.register_module()
class EffectiveRankMeasure(Measure):
    """Effective rank of each image's tokens (Roy and Vetterli, EUSIPCO 2007)."""

    name = 'effective_rank'
    meaning = "effective number of an image's directions"
    entries = ('effective_rank',)
    columns = {'effective rank': shared.mean('effective_rank')}
    column_note = shared.MEANS_NOTE
    tables = {shared.SUMMARIES: shared.summary_rows('effective_rank')}
    figures = (IN_USE,)
    scalars = {'effective_rank': shared.mean('effective_rank')}

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._dimensions = SVDDimensions()

    @classmethod
    def workspace_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of copies of the tokens and of Gram matrices."""
        return 8 * block.double_bytes + 4 * block.gram_bytes

    def update(self, batch: Batch) -> None:
        """Add the singular values of a batch, which ``svd`` may have computed."""
        self._dimensions.add(batch.once(singular_values))

    def result(self) -> dict[str, Any]:
        """Return the summary over images."""
        return {'effective_rank': self._dimensions.result()['effective_rank']}
