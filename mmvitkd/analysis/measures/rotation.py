"""The measure 'rotation': angles between images' subspaces, and to that of the dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import acos, degrees, sqrt
from typing import TYPE_CHECKING, Any

from ...registry import MEASURES
from ...utils.plotting import plain
from ..functional.subspace_rotation import SubspaceRotation
from ..plotting.figure import Blocks, ReportFigure, integer_ticks, new_figure
from ..plotting.model_overlays import model_lines, model_panels
from ..plotting.panels import (
    BAND,
    LINE,
    NULL,
    OTHER,
    OWN,
    SMALL,
    block_label,
    blocks_with,
    legend,
    legend_below,
    sample_blocks,
    title,
)
from .base import PAIRS, Entry, Measure, Table
from .block import DOUBLE, Batch, Block
from .settings import Settings
from .shared_basis import SharedBasis, held_out_warnings, min_images
from .shared_tables import SUMMARY, number_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Our choice, as no paper gives these numbers; see SubspaceRotation.
ROTATION_DIMS, NUM_PAIRS = 10, 500
AGAINST = {'pairs': (OWN, 'two images'), 'dataset': (OTHER, 'an image and the dataset')}
ANGLES = Table('angles', ('against', 'angle', 'mean', 'std'))
OVERLAPS = Table('overlaps', ('against', *SUMMARY, 'null'))


def angle_rows(block: Entry) -> Iterator[tuple[Any, ...]]:
    """Yield the principal angles in degrees, the smallest first."""
    rotation = block.get('rotation', {})
    for against in AGAINST:
        if against in rotation:
            found = rotation[against]['angles']
            for row in number_rows(found['mean'], found['std']):
                yield against, *row


def overlap_rows(block: Entry) -> Iterator[tuple[Any, ...]]:
    """Yield the overlaps of subspaces, and the one expected of random subspaces."""
    rotation = block.get('rotation', {})
    for against in AGAINST:
        if against in rotation:
            overlap = rotation[against]['overlap']
            yield against, *(overlap[name] for name in SUMMARY), rotation['null']


def draw_rotation(blocks: Blocks) -> Figure | None:
    """Draw angles above, overlaps below, of two images, and of an image and the dataset.

    Args:
        blocks: Blocks of a report.

    Returns:
        None if it was not measured.
    """
    chosen = sample_blocks(blocks_with(blocks, 'rotation'))
    if not chosen:
        return None
    figure = new_figure(1.0 + 3.4 * len(chosen), 5.6)
    grid = figure.subplots(2, len(chosen), sharey='row', squeeze=False)
    for (above, below), (key, block) in zip(grid.T, chosen.items(), strict=True):
        rotation = block['rotation']
        title(plain(above), f'{block_label(key)}, subspaces of {rotation["d"]} directions')
        _draw_angles(above, rotation)
        _draw_overlaps(plain(below), rotation)
    grid[0, 0].set_ylabel('principal angle, degrees')
    grid[1, 0].set_ylabel('pairs, or images')
    # Curves may lie anywhere.
    legend_below(grid[0, 0], title='mean and s.d. of', ncols=min(3, len(chosen) + 1))
    return figure


def _draw_angles(axes: Axes, rotation: Mapping[str, Any]) -> None:
    for name, (color, label) in AGAINST.items():
        if name in rotation:
            angles = rotation[name]['angles']
            pairs = list(zip(angles['mean'], angles['std'], strict=True))
            low, high = [m - s for m, s in pairs], [m + s for m, s in pairs]
            x = range(1, len(pairs) + 1)
            axes.fill_between(x, low, high, color=color, alpha=BAND, linewidth=0)
            axes.plot(x, angles['mean'], 'o-', color=color, ms=3, linewidth=LINE, label=label)
    # The angle whose squared cosine is the mean for random subspaces.
    random = degrees(acos(sqrt(rotation['null'])))
    axes.axhline(
        random, color=NULL, linewidth=1, linestyle=':', label='random subspaces, r.m.s.'
    )
    axes.set_ylim(0, 90)
    axes.set_yticks(range(0, 91, 15))
    integer_ticks(axes.xaxis)
    axes.set_xlabel('principal angle, the smallest first')


def _draw_overlaps(axes: Axes, rotation: Mapping[str, Any]) -> None:
    edges = [i / 40 for i in range(41)]
    for name, (color, _) in AGAINST.items():
        if name in rotation:
            counts, *_ = axes.hist(rotation[name]['overlaps'], edges, color=color, alpha=0.75)
            axes.update_datalim([(0, 1.15 * float(max(counts)))])  # room for the label
    axes.autoscale_view()
    null = rotation['null']
    axes.axvline(null, color=NULL, linewidth=1, linestyle=':')
    axes.annotate(
        f'random {null:.3f}',
        (null, 0.97),
        xycoords=axes.get_xaxis_transform(),
        xytext=(3, 0),
        textcoords='offset points',
        va='top',
        fontsize=SMALL,
        color=NULL,
    )
    axes.set_xlim(0, 1)
    integer_ticks(axes.yaxis)
    axes.set_xlabel('overlap: mean squared cosine')


def overlay_rotation(models: Blocks) -> Figure | None:
    """Draw mean principal angles between images, and between images and the dataset.

    Args:
        models: One block of each model, by the names of the models.

    Returns:
        None if no model has them.
    """
    measured = blocks_with(models, 'rotation').values()
    kinds = [kind for kind in AGAINST if any(kind in block['rotation'] for block in measured)]
    if not kinds:
        return None
    figure, row = model_panels([AGAINST[kind][1] for kind in kinds], sharey=True)
    for axes, kind in zip(row, kinds, strict=True):
        for name, block, color, style in model_lines(models, 'rotation'):
            if kind in block['rotation']:
                found = block['rotation'][kind]
                x = range(1, len(found['angles']['mean']) + 1)
                overlap, null = found['overlap']['mean'], block['rotation']['null']
                label = f'{name}, overlap {overlap:.3f} (random {null:.3f})'
                mean = found['angles']['mean']
                axes.plot(x, mean, f'o{style}', color=color, ms=3, lw=LINE, label=label)
        axes.set_ylim(0, 90)
        axes.set_yticks(range(0, 91, 15))
        integer_ticks(axes.xaxis)
        axes.set_xlabel('principal angle, the smallest first')
        legend(axes, loc='upper left', bbox_to_anchor=(0, -0.18))  # curves may lie anywhere
    figure.set_figheight(figure.get_figheight() + 0.2 * len(models))
    row[0].set_ylabel('mean principal angle, degrees')
    return figure


ROTATION = ReportFigure(
    'rotation',
    'Rotation of the subspaces',
    'Principal angles between the subspaces in which most of the energy lies. The overlap is '
    'the mean squared cosine: 1 for equal subspaces, d / D for random ones. Uncentred, the '
    'first direction is largely the mean token, which all images share, so that the first '
    'angle is small whatever the others are.',
    draw_rotation,
    overlay_rotation,
)


@MEASURES.register_module()
class RotationMeasure(Measure):
    """Principal angles between the subspaces that hold images' energy."""

    name = 'rotation'
    meaning = "angles between images' subspaces, and to that of all images"
    needs = PAIRS
    entries = ('rotation',)
    columns = {
        'overlap': lambda block: block['rotation']['pairs']['overlap']['mean'],
        'random overlap': lambda block: block['rotation']['null'],
    }
    column_note = "Overlap: of two images' subspaces, next to that of random ones."
    tables = {ANGLES: angle_rows, OVERLAPS: overlap_rows}
    figures = (ROTATION,)
    warnings = (held_out_warnings,)
    required = {'rotation': ('pairs', 'null')}
    depends_on = ('centered', 'held_out', 'seed')
    scalars = {'overlap': columns['overlap']}
    constants = {'null_overlap': columns['random overlap']}

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._shared = block.shared(SharedBasis, block.settings)

    @classmethod
    def min_images(cls, settings: Settings) -> int:
        """Return 4 with ``held_out``, otherwise 2."""
        return min_images(settings)

    @classmethod
    def state_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of the basis, and of subspaces that wait for their pair's other."""
        basis = 0 if 'pca' in block.settings.measures else block.square_bytes  # they share it
        waiting = DOUBLE * min(block.num_images, NUM_PAIRS) * block.embed_dims * _dims(block)
        return super().state_bytes(block, num_blocks) + basis + waiting

    @classmethod
    def result_bytes(cls, block: Block) -> int:
        """Return the bytes of the eigendecomposition."""
        return 6 * block.square_bytes

    @classmethod
    def workspace_bytes(cls, block: Block, num_blocks: int) -> int:
        """Return the bytes of copies of the tokens and of Gram matrices."""
        return 8 * block.double_bytes + 4 * block.gram_bytes

    def prepare(self, batch: Batch) -> None:
        """Add a batch to the second moment."""
        self._shared.update(batch)

    def start(self, num_images: int) -> None:
        """Compute the basis, and draw the pairs."""
        self._num_images = self._shared.num_projected(num_images)
        dims, seed = _dims(self.block), self.block.settings.seed
        self._rotation = SubspaceRotation(
            self._num_images, self._shared.basis, dims, NUM_PAIRS, seed
        )

    def update(self, batch: Batch) -> None:
        """Add a batch."""
        tokens, places = self._shared.projected(batch)
        if len(tokens):
            step = 2 if self.block.settings.held_out else 1
            self._rotation.update(tokens, [place // step for place in places])

    def result(self) -> dict[str, Any]:
        """Return the result of ``SubspaceRotation``, and which images it is of."""
        about = dict(held_out=self.block.settings.held_out, num_images=self._num_images)
        return {'rotation': {**self._rotation.result(), **about}}


def _dims(block: Block) -> int:
    """Return the dimension of the subspaces: 10, or fewer if the tokens have fewer."""
    return min(ROTATION_DIMS, block.num_tokens, block.embed_dims)
