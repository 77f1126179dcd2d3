"""The measure 'floor': the least error of a narrow student behind a linear map."""

from collections.abc import Iterator, Mapping
from typing import Any

from ...models.connectors.target_tokens_connector import KINDS
from ...registry import MEASURES
from ..functional.width_floor import WidthFloor, common_widths, smallest_width
from ..plotting.floors import FLOORS
from ..plotting.panels import block_label
from . import shared_tables as shared
from .base import Entry, Measure, Table
from .block import Batch, Block

FLOOR_TABLE = Table('floors', ('target', 'width', 'in_sample', 'held_out'))
POOLED_TABLE = Table('pooled', ('target', 'width', 'discarded'))
# A hundredth of the variance, as in the other measures of dimensions.
SHARE = 0.01


def floor_rows(block: Entry) -> Iterator[shared.Row]:
    """Yield the floors of each target and width."""
    for target in KINDS if 'floor' in block else ():
        floors = block['floor'][target]
        held_out = floors['held_out'] or [''] * len(floors['in_sample'])
        for width, row in enumerate(zip(floors['in_sample'], held_out, strict=True)):
            yield target, width, *row


def pooled_rows(block: Entry) -> Iterator[shared.Row]:
    """Yield what average pooling to some widths discards of each target."""
    for target in KINDS if 'floor' in block else ():
        for width, share in block['floor'][target]['pooled'].items():
            yield target, width, share


def few_images(report: Mapping[str, Any]) -> list[str]:
    """Warn of blocks with too few tokens for a held-out floor."""
    return [
        f'**{block_label(key)}: no held-out floor**, as half of the images have no more tokens '
        f'than there are channels ({block["embed_dims"]}). Wanted '
        f'{block["floor"]["images_needed"]} images or more.'
        for key, block in report['blocks'].items()
        if block.get('floor', {}).get('images_needed')
    ]


@MEASURES.register_module()
class FloorMeasure(Measure):
    """Floors of raw, centred and standardised targets over widths, and what decides among them.

    After ``final_norm`` they are those of the normalised tokens.
    """

    name = 'floor'
    meaning = 'least error of a narrow student behind a linear map'
    entries = ('floor',)
    columns = {
        'width 1 %': lambda block: smallest_width(
            block['floor']['centred']['in_sample'], SHARE
        ),
        'mean token': lambda block: block['floor']['mean_share'],
    }
    column_note = (
        'Width 1 %: the smallest one that leaves 1 % of the variance behind a linear map. '
        "Mean token: its share of the tokens' energy."
    )
    tables = {FLOOR_TABLE: floor_rows, POOLED_TABLE: pooled_rows}
    figures = (FLOORS,)
    warnings = (few_images,)
    required = {'floor': (*KINDS, 'images_needed', 'mean_share')}
    scalars = {'width_1_percent': columns['width 1 %'], 'mean_share': columns['mean token']}

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._floor = WidthFloor()

    @classmethod
    def state_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of the moments of both halves."""
        return super().state_bytes(block, num_blocks) + 2 * block.square_bytes

    @classmethod
    def result_bytes(cls, block: Block) -> int:
        """Return the bytes of a few covariances and an eigendecomposition."""
        return 12 * block.square_bytes

    def update(self, batch: Batch) -> None:
        """Add a batch; images of even and of odd positions are the halves."""
        self._floor.update(batch.double, batch.places)

    def result(self) -> dict[str, Any]:
        """Return the result of ``WidthFloor``, with pooling to common widths."""
        return {'floor': self._floor.result(common_widths(self.block.embed_dims))}
