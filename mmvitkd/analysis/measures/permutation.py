"""The measure 'permutation': SEP in 100 random channel orders."""

from collections.abc import Mapping
from typing import Any

from ...registry import MEASURES
from ...utils.tables import markdown_table
from ..functional.sep_permutation import SEPPermutation
from ..functional.token_shares import BANDWIDTH_THRESHOLDS
from ..plotting.panels import block_label
from . import shared_tables as shared
from .base import Measure
from .block import DOUBLE, Batch, Block
from .sep import SEP_FIGURE

KINDS = {'sep.permuted': 'sep_permuted'}
ORDERS = 100


def permutation_table(report: Mapping[str, Any]) -> list[str]:
    """Return a table of the last block's bandwidths next to those in random channel orders."""
    key, block = list(report['blocks'].items())[-1]
    permuted = block.get('sep', {}).get('permuted')
    if not permuted:
        return []
    rows = [
        [
            f'b{float(threshold) * 100:.0f}',
            shared.format_digits(permuted['natural'][threshold]['mean']),
            shared.format_digits(permuted['bandwidth'][threshold]),
            f'{change["mean"]:+.4f} [{change["low"]:+.4f}, {change["high"]:+.4f}]',
            f'{permuted["p_value"][threshold]:.3f}',
        ]
        for threshold, change in permuted['change'].items()
    ]
    header = [block_label(key), 'natural order', 'permuted', 'change', 'p']
    distance = permuted['curve_l1']
    return [
        markdown_table(header, rows),
        "Bandwidths are those of each image's curve, averaged over images and orders (as "
        'released with arXiv 2511.15572). Change: permuted minus natural, with the '
        f'{100 * permuted["confidence"]:g} % interval of a paired bootstrap over images '
        f'({permuted["num_resamples"]} resamples): would other images give the same? p: the '
        f'share of {permuted["num_orders"]} random orders and the natural one that lie at '
        'least as far from their mean as it: does the natural order differ from a random one? '
        'Mean distance between the curves of a random and of the natural order (curve L1): '
        f'{shared.format_digits(distance["mean"])}, with a standard deviation of '
        f'{shared.format_digits(distance["std"])} over the orders.',
    ]


@MEASURES.register_module()
class PermutationMeasure(Measure):
    """Whether the order of the channels matters to SEP: a permutation test."""

    name = 'permutation'
    meaning = 'SEP in 100 random channel orders: 100 FFTs per token'
    entries = ('sep',)
    columns = {'permuted b90': lambda block: block['sep']['permuted']['bandwidth']['0.90']}
    column_note = shared.B90_NOTE
    tables = {
        shared.BANDWIDTHS: shared.bandwidth_rows(KINDS),
        shared.CHANNEL_CURVES: shared.channel_curve_rows(KINDS),
    }
    figures = (SEP_FIGURE,)
    details = (permutation_table,)
    required = {'sep.permuted': ('curve', 'std', 'bandwidth', 'natural', 'curve_l1')}
    depends_on = ('seed',)
    scalars = {'permuted_b90': columns['permuted b90']}
    # For one block of CaiT-S24 it takes a fifth of a forward pass on a CPU, twice as much as
    # all other measures together.
    max_default_blocks = 2

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._permutation = SEPPermutation(num_orders=ORDERS, seed=block.settings.seed)

    @classmethod
    def state_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of two bandwidths for each image, and of a curve for each order."""
        bandwidths = 2 * len(BANDWIDTH_THRESHOLDS) * block.num_images
        return DOUBLE * (bandwidths + 2 * ORDERS * (block.embed_dims + 2))

    @classmethod
    def result_bytes(cls, block: Block) -> int:
        """Return the bytes of the images that the bootstrap draws."""
        return 3 * DOUBLE * len(BANDWIDTH_THRESHOLDS) * block.num_images

    @classmethod
    def workspace_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of copies of the tokens, and of spectra and curves in each order."""
        return 8 * block.double_bytes + 4 * DOUBLE * ORDERS * (block.embed_dims + 2)

    def update(self, batch: Batch) -> None:
        """Add a batch."""
        self._permutation.update(batch.double)

    def result(self) -> dict[str, Any]:
        """Return the result of ``SEPPermutation``, as a part of 'sep'."""
        return {'sep': {'permuted': self._permutation.result()}}
