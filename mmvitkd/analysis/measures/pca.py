"""The measure 'pca': the number of shared directions that hold an image's energy."""

from collections.abc import Iterator
from typing import Any

from ...registry import MEASURES
from ..functional.principal_components import PCADimensions
from ..plotting.directions import DIMENSIONS, ENERGY, LAYERS
from . import shared_tables as shared
from .base import ALL_FEATURES, Entry, Measure, Table
from .block import Batch, Block
from .settings import Settings
from .shared_basis import SharedBasis, held_out_warnings, min_images

EIGENVALUES = Table('eigenvalues', ('direction', 'eigenvalue'))


def eigenvalue_rows(block: Entry) -> Iterator[tuple[Any, ...]]:
    """Yield the mean energy of a token along each direction of the dataset."""
    if 'pca' in block:
        yield from shared.number_rows(block['pca']['eigvals'])


@MEASURES.register_module()
class PCAMeasure(Measure):
    """How many directions of the dataset hold 80 to 99 % of an image's energy."""

    name = 'pca'
    meaning = "directions of all images that hold an image's energy"
    needs = ALL_FEATURES
    entries = ('pca',)
    columns = {'PCA 99 %': shared.p99('pca')}
    column_note = shared.DIRECTIONS_NOTE
    tables = {
        shared.DIMENSIONS: shared.dimension_rows('pca'),
        shared.ENERGY_CURVES: shared.energy_curve_rows('pca'),
        EIGENVALUES: eigenvalue_rows,
    }
    figures = (LAYERS, DIMENSIONS, ENERGY)
    warnings = (held_out_warnings,)
    numbers = (shared.dimension_table, shared.published_note)
    required = {'pca': ('curve', 'std')}
    depends_on = ('centered', 'held_out')
    scalars = {
        'pca99': lambda block: block['pca']['0.99']['mean'],
        'pca99_p99': shared.p99('pca'),
    }

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._shared = block.shared(SharedBasis, block.settings)

    @classmethod
    def min_images(cls, settings: Settings) -> int:
        """Return 4 with ``held_out``, otherwise 2."""
        return min_images(settings)

    @classmethod
    def state_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of the second moment, later of the basis."""
        return super().state_bytes(block, num_blocks) + block.square_bytes

    @classmethod
    def result_bytes(cls, block: Block) -> int:
        """Return the bytes of the eigendecomposition."""
        return 6 * block.square_bytes

    def prepare(self, batch: Batch) -> None:
        """Add a batch to the second moment."""
        self._shared.update(batch)

    def start(self, num_images: int) -> None:
        """Compute the basis."""
        self._num_images = self._shared.num_projected(num_images)
        self._dimensions = PCADimensions(self._shared.basis)

    def update(self, batch: Batch) -> None:
        """Project a batch on the basis."""
        tokens, _ = self._shared.projected(batch)
        if len(tokens):
            self._dimensions.update(tokens)

    def result(self) -> dict[str, Any]:
        """Return the result of ``PCADimensions``, and which images were projected."""
        about = dict(held_out=self.block.settings.held_out, num_images=self._num_images)
        return {'pca': {**self._dimensions.result(), **about}}
