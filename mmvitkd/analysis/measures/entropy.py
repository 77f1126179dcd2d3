"""The measure 'entropy': bits in the values of a token's channels."""

from typing import Any

from ...registry import MEASURES
from ..functional.token_entropy import TokenEntropy, ValueRange
from ..plotting.depth import U_SHAPE
from . import shared_tables as shared
from .base import ALL_FEATURES, Measure
from .block import Batch, Block


@MEASURES.register_module()
class EntropyMeasure(Measure):
    """Entropy of a token's values, in bins that all blocks and images share."""

    name = 'entropy'
    meaning = "bits in the values of a token's channels"
    needs = ALL_FEATURES
    entries = ('entropy',)
    columns = {'entropy, bits': shared.mean('entropy')}
    column_note = shared.MEANS_NOTE
    comparison_note = (
        "The bins of the entropy lie between each report's own smallest and largest value: its "
        'height does not compare.'
    )
    tables = {shared.SUMMARIES: shared.summary_rows('entropy')}
    figures = (U_SHAPE,)
    scalars = {'entropy': columns['entropy, bits']}

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._range = block.shared(ValueRange, across_blocks=True)

    def prepare(self, batch: Batch) -> None:
        """Widen the range of values."""
        self._range.update(batch.tokens)

    def start(self, num_images: int) -> None:
        """Divide the range of all blocks into bins."""
        self._entropy = TokenEntropy(self._range.low, self._range.high)

    def update(self, batch: Batch) -> None:
        """Add a batch in the model's dtype, to which the bins' edges are rounded."""
        self._entropy.update(batch.tokens)

    def result(self) -> dict[str, Any]:
        """Return the summary over images, and the bins."""
        bins = self._entropy
        about = dict(low=bins.low, high=bins.high, bins=bins.bins)
        return {'entropy': {**bins.result(), **about}}
