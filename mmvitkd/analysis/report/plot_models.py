"""Figures that lay the same block of several models over each other."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...utils.plotting import COLORS, GREY, plain
from .plot_channels import (
    NULLS,
    above_diagonal,
    b90,
    label_sorted,
    plot_percent,
    shares_of,
    sorted_null,
)
from .plot_utils import LINE, NULL, Blocks, curve, having, legend, one_panel, title

# Of the models; grey is for what has no structure.
OF_MODELS = (*COLORS[1:], '#d55e00', '#7a4f9a')
STYLES = ('-', '--', '-.')
# More models have no band of a standard deviation each: it would hide the curves.
BANDS = 4


def overlay_energy(models: Blocks) -> Figure | None:
    """SVD and dataset PCA: a panel each, a curve a model.

    Args:
        models: Blocks by the names of their models.

    Returns:
        None if none has either.
    """
    measures = {'svd': "an image's own directions (SVD)", 'pca': "the dataset's (PCA)"}
    measured = {m: heading for m, heading in measures.items() if having(models, m)}
    if not measured:
        return None
    figure, row = _panels(list(measured.values()), sharey=True)
    for axes, measure in zip(row, measured, strict=True):
        for name, block, color, style in _lines(models, measure):
            shares = block[measure]
            x = range(1, len(shares['curve']) + 1)
            if len(models) <= BANDS:
                curve(axes, x, shares['curve'], shares['std'], color, name, style)
            else:
                percent = [100 * value for value in shares['curve']]
                axes.plot(x, percent, color=color, label=name, lw=LINE, linestyle=style)
        axes.axhline(99, color=GREY, linewidth=0.8, linestyle=':')
        axes.set_xlim(left=0)
        axes.set_ylim(0, 101)
        axes.set_xlabel('directions')
        legend(axes, loc='lower right')
    row[0].set_ylabel("share of an image's energy, %")
    return figure


def overlay_rotation(models: Blocks) -> Figure | None:
    """Mean principal angles between images, and between images and the dataset.

    Args:
        models: Blocks by the names of their models.

    Returns:
        None if none has them.
    """
    against = {'pairs': 'two images', 'dataset': 'an image and the dataset'}
    measured = having(models, 'rotation').values()
    kinds = [kind for kind in against if any(kind in block['rotation'] for block in measured)]
    if not kinds:
        return None
    figure, row = _panels([against[kind] for kind in kinds], sharey=True)
    for axes, kind in zip(row, kinds, strict=True):
        for name, block, color, style in _lines(models, 'rotation'):
            if kind in block['rotation']:
                found = block['rotation'][kind]
                x = range(1, len(found['angles']['mean']) + 1)
                overlap, null = found['overlap']['mean'], block['rotation']['null']
                label = f'{name}, overlap {overlap:.3f} (random {null:.3f})'
                mean = found['angles']['mean']
                axes.plot(x, mean, f'o{style}', color=color, ms=3, lw=LINE, label=label)
        axes.set_ylim(0, 90)
        axes.set_yticks(range(0, 91, 15))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel('principal angle, the smallest first')
        legend(axes, loc='upper left', bbox_to_anchor=(0, -0.18))  # curves may lie anywhere
    figure.set_figheight(figure.get_figheight() + 0.2 * len(models))
    row[0].set_ylabel('mean principal angle, degrees')
    return figure


def overlay_sep(models: Blocks) -> Figure | None:
    """SEP, and what is left of it without the diagonal, beside random tokens.

    Args:
        models: Blocks by the names of their models.

    Returns:
        None if none has the full spectrum.
    """
    measured = {name: b for name, b in models.items() if 'full' in b.get('sep', {})}
    if not measured:
        return None
    figure, (left, right) = _panels(['full spectrum', 'less the diagonal'], sharey=False)
    for name, block, color, style in _lines(models, 'sep'):
        if name in measured:
            _draw_sep(left, right, block['sep']['full'], name, color, style)
    nulls = [block['sep']['null'] for block in measured.values() if 'null' in block['sep']]
    if nulls:
        widest = max(nulls, key=lambda null: len(null['curve']))
        _draw_sep(left, right, widest, 'random tokens', NULL, ':')
    for axes in (left, right):
        axes.set_xlabel('share of the frequencies, %')
    left.set_ylabel("share of a token's energy, %")
    right.set_ylabel('above the diagonal, points')
    legend(left, loc='upper left')
    return figure


def overlay_sorted_energy(models: Blocks) -> Figure | None:
    """Cumulated energy of a token's channels in falling order, beside Gaussian tokens.

    Args:
        models: Blocks by the names of their models.

    Returns:
        None if none has it.
    """
    if not having(models, 'sorted_energy'):
        return None
    figure, axes = one_panel(5.4, 3.4)
    width = 0
    for name, block, color, style in _lines(models, 'sorted_energy'):
        energy = block['sorted_energy']
        width = max(width, len(energy['curve']))
        plot_percent(axes, energy, f'{name}, {b90(energy)}', color, style)
    style, null = NULLS[None]
    energy = sorted_null(width, None)
    plot_percent(axes, energy, f'{null} tokens, {b90(energy)}', NULL, style)
    label_sorted(axes)
    return figure


def draw_matrix(labels: Sequence[str], matrix: Sequence[Sequence[float]]) -> Figure:
    """Linear CKA between models, as a map with its numbers.

    Args:
        labels: The models.
        matrix: (models, models), in [0, 1].
    """
    side = 1.2 + 0.75 * len(labels) + 0.07 * max(map(len, labels))  # inches; labels take some
    figure = Figure(figsize=(side + 1.2, side), layout='constrained')
    axes = figure.add_subplot()
    image = axes.imshow(matrix, vmin=0, vmax=1, cmap='cividis')
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            ink = 'black' if value > 0.45 else 'white'
            axes.text(j, i, f'{value:.2f}', ha='center', va='center', color=ink, fontsize=9)
    places = range(len(labels))
    axes.set_xticks(places, labels, rotation=45, ha='right', rotation_mode='anchor')
    axes.set_yticks(places, labels)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label='linear CKA', shrink=0.8).outline.set_visible(False)
    return figure


OVERLAYS: dict[str, Callable[[Blocks], Figure | None]] = {
    'energy': overlay_energy,
    'rotation': overlay_rotation,
    'sep': overlay_sep,
    'sorted_energy': overlay_sorted_energy,
}


def _draw_sep(
    left: Axes, right: Axes, sep: dict[str, Any], name: str, color: str, style: str
) -> None:
    plot_percent(left, sep, f'{name}, {b90(sep)}', color, style)
    share = shares_of(len(sep['curve']))
    right.plot(share, above_diagonal(sep['curve']), color=color, lw=LINE, linestyle=style)


def _lines(models: Blocks, measure: str) -> Iterator[tuple[str, Any, str, str]]:
    """Name, block, colour and style of each model that has a measure; the same everywhere."""
    for place, (name, block) in enumerate(models.items()):
        if measure in block:
            color, style = OF_MODELS[place % len(OF_MODELS)], STYLES[place % len(STYLES)]
            yield name, block, color, style


def _panels(names: Sequence[str], sharey: bool) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(1.0 + 4.2 * len(names), 3.6), layout='constrained')
    row = figure.subplots(1, len(names), sharey=sharey, squeeze=False)[0]
    for axes, name in zip(row, names, strict=True):
        title(plain(axes), name)
    return figure, list(row)
