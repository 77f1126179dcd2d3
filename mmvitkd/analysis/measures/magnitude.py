"""The measure 'magnitude': mean absolute activation."""

from typing import Any

from ...registry import MEASURES
from ..functional.mean_magnitude import Magnitude
from ..plotting.depth import U_SHAPE
from . import shared_tables as shared
from .base import Measure
from .block import Batch, Block


@MEASURES.register_module()
class MagnitudeMeasure(Measure):
    """Mean ``|A|`` over an image's channels and tokens (arXiv 2511.06848)."""

    name = 'magnitude'
    meaning = 'mean absolute activation'
    entries = ('activation_magnitude',)
    columns = {'activation': shared.mean('activation_magnitude')}
    column_note = shared.MEANS_NOTE
    comparison_note = shared.UNIT_NOTE
    tables = {shared.SUMMARIES: shared.summary_rows('activation_magnitude')}
    figures = (U_SHAPE,)
    scalars = {'activation': columns['activation']}

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._magnitude = Magnitude()

    def update(self, batch: Batch) -> None:
        """Add a batch."""
        self._magnitude.update(batch.double)

    def result(self) -> dict[str, Any]:
        """Return the summary over images."""
        return {'activation_magnitude': self._magnitude.result()}
