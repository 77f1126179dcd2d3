"""The measure 'gradient': mean absolute gradient of the label's logit."""

from collections.abc import Mapping
from typing import Any

from ...registry import MEASURES
from ..functional.mean_magnitude import Magnitude
from ..plotting.depth import U_SHAPE
from . import shared_tables as shared
from .base import GRADIENTS, Measure
from .block import Batch, Block

SCORES = {'labels': "an image's label", 'predictions': 'the class that the model predicts'}


def score_note(report: Mapping[str, Any]) -> list[str]:
    """State which logit the gradient is of."""
    for block in report['blocks'].values():
        if 'gradient_magnitude' in block:
            score = SCORES[block['gradient_magnitude']['score']]
            return [f'The gradient is that of the logit of {score}.']
    return []


@MEASURES.register_module()
class GradientMeasure(Measure):
    """Mean ``|d score / d A|`` over an image's channels and tokens (arXiv 2511.06848)."""

    name = 'gradient'
    meaning = "mean absolute gradient of the label's logit"
    needs = GRADIENTS
    entries = ('gradient_magnitude',)
    columns = {'gradient': shared.mean('gradient_magnitude')}
    column_note = shared.MEANS_NOTE
    comparison_note = shared.UNIT_NOTE
    tables = {shared.SUMMARIES: shared.summary_rows('gradient_magnitude')}
    figures = (U_SHAPE,)
    numbers = (score_note,)
    max_default_blocks = 0

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._magnitude = Magnitude()
        self._score = ''

    def update(self, batch: Batch) -> None:
        """Add the gradients of a batch."""
        self._score = batch.score
        self._magnitude.update(batch.tokens)

    def result(self) -> dict[str, Any]:
        """Return the summary over images, and the score that the gradients are of."""
        return {'gradient_magnitude': {**self._magnitude.result(), 'score': self._score}}
