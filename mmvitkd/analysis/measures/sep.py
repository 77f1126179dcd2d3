"""The measure 'sep': energy over channel frequencies, full and folded, with a null."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from ...registry import MEASURES
from ...utils.plotting import COLORS, GREY, INK, plain
from ...utils.tables import markdown_table
from ..functional.sep_null import null_sep
from ..functional.spectral_energy import MODES, SEP
from ..functional.token_shares import BANDWIDTH_THRESHOLDS
from ..plotting.cumulative import above_diagonal, b90, plot_percent, shares_of
from ..plotting.figure import Blocks, ReportFigure, new_figure
from ..plotting.model_overlays import model_lines, model_panels
from ..plotting.panels import (
    BAND,
    LINE,
    NULL,
    OTHER,
    OWN,
    block_label,
    blocks_with,
    curve,
    legend,
    legend_below,
    sample_blocks,
    title,
)
from . import shared_tables as shared
from .base import Entry, Measure, Number
from .block import DOUBLE, Batch, Block

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Names of rows in CSV tables.
KINDS = {f'sep.{kind}': f'sep_{kind}' for kind in ('full', 'folded', 'null', 'null_folded')}
# The key of each mode's null.
NULLS = {'full': 'null', 'folded': 'null_folded'}
# Colour, style and label of the references drawn with each mode.
PERMUTED = (OTHER, '--', 'channels permuted')
RANDOM = (NULL, ':', 'random tokens')
REFERENCES = {
    'full': {'permuted': PERMUTED, 'null': RANDOM},
    'folded': {'null_folded': RANDOM},
}
NULL_TOKENS = 2048
MAX_COLUMNS = 4  # of panels, in a figure with one per model
TRAINING_STYLES: dict[str, dict[str, Any]] = {
    'student': dict(label='student', color=COLORS[1], linewidth=1.8),
    'teacher': dict(label='teacher', color=COLORS[2], linewidth=1.8),
    'null': dict(label='null: random vectors', color=GREY, linewidth=1.2, linestyle='--'),
}


def draw_sep(blocks: Blocks) -> Figure | None:
    """Draw SEP with its nulls, and below its difference from the diagonal.

    Nearly any curve looks like the diagonal: only the lower panels show a difference.

    Args:
        blocks: Blocks of a report.

    Returns:
        None if SEP was not measured.
    """
    measured = {
        k: b for k, b in blocks_with(blocks, 'sep').items() if b['sep'].keys() & {*REFERENCES}
    }
    chosen = sample_blocks(measured)
    if not chosen:
        return None
    figure = new_figure(1.0 + 3.4 * len(chosen), 5.4)
    grid = figure.subplots(2, len(chosen), sharex=True, sharey='row', squeeze=False)
    for (above, below), (key, block) in zip(grid.T, chosen.items(), strict=True):
        sep = block['sep']
        mode = next(mode for mode in REFERENCES if mode in sep)
        title(plain(above), f'{block_label(key)}, {mode} spectrum')
        _draw_sep(above, plain(below), sep, mode)
        below.set_xlabel('share of the frequencies, %')
    grid[0, 0].set_ylabel("share of a token's energy, %")
    grid[1, 0].set_ylabel('above the diagonal, points')
    for axes in grid[0]:
        legend(axes, loc='upper left')
    if 'permuted' in next(iter(chosen.values()))['sep']:
        grid[1, 0].margins(y=0.2)
        legend(grid[1, 0], loc='upper right')
    return figure


def _draw_sep(above: Axes, below: Axes, sep: Mapping[str, Any], mode: str) -> None:
    own = sep[mode]
    share = shares_of(len(own['curve']))
    label = f'natural order, {b90(own)}'
    curve(above, share, own['curve'], own['std'], OWN, label)
    below.plot(share, above_diagonal(own['curve']), color=OWN, linewidth=LINE)
    for name, (color, style, label) in REFERENCES[mode].items():
        if name not in sep:
            continue
        other = sep[name]
        plot_percent(above, other, f'{label}, {b90(other)}', color, style)
        rest = above_diagonal(other['curve'])
        below.plot(share, rest, color=color, linewidth=LINE, linestyle=style)
        if name == 'permuted':
            low = [r - 200 * s for r, s in zip(rest, other['std'], strict=True)]
            high = [r + 200 * s for r, s in zip(rest, other['std'], strict=True)]
            label = '2 s.d. of the permutations'
            below.fill_between(share, low, high, color=color, alpha=BAND, lw=0, label=label)


def overlay_sep(models: Blocks) -> Figure | None:
    """Draw SEP, and its difference from the diagonal, with random tokens.

    Args:
        models: One block of each model, by the names of the models.

    Returns:
        None if no model has the full spectrum.
    """
    measured = {name: b for name, b in models.items() if 'full' in b.get('sep', {})}
    if not measured:
        return None
    figure, (left, right) = model_panels(['full spectrum', 'minus the diagonal'], sharey=False)
    for name, block, color, style in model_lines(models, 'sep'):
        if name in measured:
            _draw_model(left, right, block['sep']['full'], name, color, style)
    nulls = [block['sep']['null'] for block in measured.values() if 'null' in block['sep']]
    if nulls:
        widest = max(nulls, key=lambda null: len(null['curve']))
        _draw_model(left, right, widest, 'random tokens', NULL, ':')
    for axes in (left, right):
        axes.set_xlabel('share of the frequencies, %')
    left.set_ylabel("share of a token's energy, %")
    right.set_ylabel('above the diagonal, points')
    legend(left, loc='upper left')
    return figure


def _draw_model(
    left: Axes, right: Axes, sep: dict[str, Any], name: str, color: str, style: str
) -> None:
    plot_percent(left, sep, f'{name}, {b90(sep)}', color, style)
    share = shares_of(len(sep['curve']))
    right.plot(share, above_diagonal(sep['curve']), color=color, lw=LINE, linestyle=style)


def draw_spread(models: Blocks) -> Figure | None:
    """Draw SEP in a panel per model, with its spread over the tokens and its null.

    Args:
        models: One block of each model, by the names of the models.

    Returns:
        None if no model has the full spectrum.
    """
    measured = {name: b['sep'] for name, b in models.items() if 'full' in b.get('sep', {})}
    if not measured:
        return None
    columns = min(len(measured), MAX_COLUMNS)
    rows = -(-len(measured) // columns)
    figure = new_figure(1.0 + 3.0 * columns, 0.6 + 2.6 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (name, sep) in zip(grid.flat, measured.items(), strict=False):
        own = sep['full']
        share = shares_of(len(own['curve']))
        title(plain(axes), f'{name}, D = {len(share)}, {b90(own)}')
        for threshold in BANDWIDTH_THRESHOLDS:
            axes.axhline(100 * threshold, color=GREY, linewidth=0.4, alpha=0.5)
        curve(axes, share, own['curve'], own['std'], OWN, 'mean and 1 s.d. of the tokens')
        if 'null' in sep:
            plot_percent(axes, sep['null'], 'random tokens', NULL, ':')
    for axes in grid.flat[len(measured) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel('share of the frequencies, %')
    for axes in grid[:, 0]:
        axes.set_ylabel("share of a token's energy, %")
    legend_below(grid[0, 0], ncols=2)
    return figure


def draw_training(layers: Mapping[str, Mapping[str, Entry]]) -> Figure:
    """Draw a row for each layer and a column for each mode.

    Args:
        layers: The entries of 'student' and, if there is one, 'teacher', by layer title.
    """
    figure = new_figure(3.6 * len(MODES), 2.7 * len(layers))
    grid = figure.subplots(len(layers), len(MODES), squeeze=False, sharex=True, sharey=True)
    for row, (name, sides) in zip(grid, layers.items(), strict=True):
        for axes, mode in zip(row, MODES, strict=True):
            plain(axes).set_title(f'{name}, {mode}', loc='left', fontsize=8, color=INK)
            curves = {side: entry['sep'][mode]['curve'] for side, entry in sides.items()}
            curves['null'] = sides['student']['sep'][NULLS[mode]]['curve']
            _draw_from_origin(axes, curves)
        row[0].set_ylabel('share of the energy', fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel('share of the frequencies, from DC up', fontsize=8)
    grid[0, 0].legend(frameon=False, fontsize=8, loc='lower right')
    return figure


def _draw_from_origin(axes: Axes, curves: Mapping[str, list[float]]) -> None:
    """Draw curves from the origin, so that the share of DC shows as a step."""
    for name, values in curves.items():
        x = [place / len(values) for place in range(len(values) + 1)]
        axes.plot(x, [0, *values], **TRAINING_STYLES[name])
    for threshold in BANDWIDTH_THRESHOLDS:
        axes.axhline(threshold, color=GREY, linewidth=0.4, alpha=0.5)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)


SEP_FIGURE = ReportFigure(
    'sep',
    'Spectral energy pattern (SEP)',
    "Cumulated energy over the frequencies of a token's channels. **Never read it without its "
    'null.** The spectrum of a real token is symmetric, so b50 is about 0.5 for any input; and '
    'in an arbitrary order of the channels one-hot, sparse and Gaussian tokens all have b90 '
    'near 0.90. Only a curve that leaves the band of the permutations says anything about the '
    'order, and only the sorted energy says whether a token uses few channels. (That band, of '
    '2 s.d., needs the measure `permutation`, which is left out by default for more than two '
    'blocks; the band of the natural order is 1 s.d. over the tokens.)',
    draw_sep,
    overlay_sep,
    draw_training,
)


SEP_SPREAD = ReportFigure(
    'sep_spread',
    'SEP of each model',
    'The mean over the tokens and one standard deviation, next to random tokens of the same '
    'width; lines at 50, 60, 70, 80 and 90 %.',
    None,
    draw_spread,
)


def sep_table(report: Mapping[str, Any]) -> list[str]:
    """Return a table of the last block's frequencies, next to the published ones."""
    key, block = list(report['blocks'].items())[-1]
    full, published = block.get('sep', {}).get('full'), shared.published_of(report)
    if not full or not published:
        return []
    header = [
        f'{block_label(key)}, frequencies (SEP)',
        *(f'{100 * t:g} %' for t in BANDWIDTH_THRESHOLDS),
    ]
    rows = [
        ['here', *(str(full['d'][f'{t:.2f}']) for t in BANDWIDTH_THRESHOLDS)],
        ['published', *map(str, published.sep)],
    ]
    return [markdown_table(header, rows)]


def _bandwidth(kind: str, threshold: float) -> Number:
    return lambda block: block['sep'][kind]['bandwidth'][f'{threshold:.2f}']


@cache
def _null(embed_dims: int, mode: str, seed: int) -> dict[str, Any]:
    """Return the SEP of Gaussian tokens, the same for all blocks of a width."""
    return null_sep(embed_dims, mode, num_tokens=NULL_TOKENS, seed=seed)


@MEASURES.register_module()
class SEPMeasure(Measure):
    """Spectral energy pattern and its bandwidths (arXiv 2511.15572)."""

    name = 'sep'
    meaning = 'energy over channel frequencies, full and folded, with a null'
    entries = ('sep',)
    columns = {
        'SEP b90': _bandwidth('full', 0.90),
        'null b90': _bandwidth('null', 0.90),
    }
    column_note = shared.B90_NOTE
    tables = {
        shared.BANDWIDTHS: shared.bandwidth_rows(KINDS),
        shared.CHANNEL_CURVES: shared.channel_curve_rows(KINDS),
    }
    figures = (SEP_FIGURE, SEP_SPREAD)
    numbers = (sep_table, shared.published_note)
    required = dict.fromkeys(KINDS, ('curve', 'std', 'bandwidth'))
    scalars = {
        f'{mode}_b{round(100 * t)}': _bandwidth(mode, t)
        for mode in MODES
        for t in BANDWIDTH_THRESHOLDS
    }
    constants = {
        f'null_{mode}_b{round(100 * t)}': _bandwidth(NULLS[mode], t)
        for mode in MODES
        for t in BANDWIDTH_THRESHOLDS
    }

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        self._modes = {mode: SEP(mode) for mode in MODES}

    @classmethod
    def result_bytes(cls, block: Block) -> int:
        """Return the bytes of the null's random tokens and copies of them."""
        return 3 * NULL_TOKENS * block.embed_dims * DOUBLE

    def update(self, batch: Batch) -> None:
        """Add a batch."""
        for sep in self._modes.values():
            sep.update(batch.double)

    def result(self) -> dict[str, Any]:
        """Return the result of ``SEP`` in each mode, and for random tokens of equal width."""
        found = {mode: sep.result() for mode, sep in self._modes.items()}
        seed = self.block.settings.seed
        for mode, null in NULLS.items():
            found[null] = _null(self.block.embed_dims, mode, seed)
        return {'sep': found}
