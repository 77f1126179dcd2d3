"""CSV tables of a report: its numbers to the last digit, a file for each kind."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .plot_utils import Blocks

SUMMARY = ('mean', 'std', 'median', 'q25', 'q75', 'p99')
SUMMARISED = (
    *('effective_rank', 'participation_ratio', 'entropy'),
    *('activation_magnitude', 'gradient_magnitude'),
)
ENERGY = ('svd', 'pca')
AGAINST = ('pairs', 'dataset')
Rows = Iterator[tuple[Any, ...]]


def write_tables(report: dict[str, Any], folder: Path) -> None:
    """Write those tables that have a row.

    Args:
        report: As in ``report.json``.
        folder: Is made; the files are ``dimensions.csv`` and so on, see ``TABLES``.
    """
    folder.mkdir()
    for name, (header, rows_of) in TABLES.items():
        rows = list(rows_of(report['blocks']))
        if rows:
            _write(folder / f'{name}.csv', ('block', *header), rows)


def dimensions(blocks: Blocks) -> Rows:
    """Directions for each share of an image's energy, summarised over images."""
    for key, measure, energy in _of(blocks, ENERGY):
        for threshold, summary in energy.items():
            if _is_threshold(threshold):
                yield key, measure, threshold, *(summary[name] for name in SUMMARY)


def energy_curves(blocks: Blocks) -> Rows:
    """Share of an image's energy in its first directions."""
    for key, measure, energy in _of(blocks, ENERGY):
        for row in _numbered(energy['curve'], energy['std']):
            yield key, measure, *row


def eigenvalues(blocks: Blocks) -> Rows:
    """Mean energy of a token along each direction of the dataset."""
    for key, _, pca in _of(blocks, ['pca']):
        for row in _numbered(pca['eigvals']):
            yield key, *row


def bandwidths(blocks: Blocks) -> Rows:
    """Channels or frequencies for each share of a token's energy."""
    for key, measure, shares in _of_channels(blocks):
        for threshold, d in shares['d'].items():
            change = shares.get('change', {}).get(threshold, {})
            yield (
                *(key, measure, threshold, d, shares['bandwidth'][threshold]),
                *(change.get(name, '') for name in ('mean', 'low', 'high')),
                shares.get('p_value', {}).get(threshold, ''),
            )


def channel_curves(blocks: Blocks) -> Rows:
    """Share of a token's energy in its first frequencies, or its strongest channels."""
    for key, measure, shares in _of_channels(blocks):
        for row in _numbered(shares['curve'], shares['std']):
            yield key, measure, *row


def spectra(blocks: Blocks) -> Rows:
    """Mean amplitude at each frequency, from 0."""
    for key, _, spectrum in _of(blocks, ['spectrum']):
        for k, amplitude in enumerate(spectrum):
            yield key, k, amplitude


def angles(blocks: Blocks) -> Rows:
    """Principal angles in degrees, the smallest first."""
    for key, _, rotation in _of(blocks, ['rotation']):
        for against in AGAINST:
            if against in rotation:
                found = rotation[against]['angles']
                for row in _numbered(found['mean'], found['std']):
                    yield key, against, *row


def overlaps(blocks: Blocks) -> Rows:
    """Overlaps of subspaces, and the one expected of random subspaces."""
    for key, _, rotation in _of(blocks, ['rotation']):
        for against in AGAINST:
            if against in rotation:
                overlap = rotation[against]['overlap']
                yield key, against, *(overlap[name] for name in SUMMARY), rotation['null']


def summaries(blocks: Blocks) -> Rows:
    """Measures that are one number an image; frequency intensity is one of all images."""
    for key, measure, summary in _of(blocks, SUMMARISED):
        yield key, measure, *(summary[name] for name in SUMMARY)
    for key, measure, value in _of(blocks, ['frequency_intensity']):
        yield key, measure, value, *[''] * (len(SUMMARY) - 1)


def alignment(blocks: Blocks) -> Rows:
    """CKA between blocks."""
    for key, _, cka in _of(blocks, ['cka']):
        for other, value in cka['to'].items():
            yield key, other, value, cka['null'][other], cka['rows'], cka['num_rows']


# What each file is called, its columns behind the block, and its rows.
TABLES = {
    'dimensions': (('measure', 'threshold', *SUMMARY), dimensions),
    'energy_curves': (('measure', 'directions', 'share', 'std'), energy_curves),
    'eigenvalues': (('direction', 'eigenvalue'), eigenvalues),
    'angles': (('against', 'angle', 'mean', 'std'), angles),
    'overlaps': (('against', *SUMMARY, 'null'), overlaps),
    'bandwidths': (
        *(('measure', 'threshold', 'd', 'bandwidth', 'change', 'low', 'high', 'p_value'),),
        bandwidths,
    ),
    'channel_curves': (('measure', 'count', 'share', 'std'), channel_curves),
    'spectra': (('k', 'amplitude'), spectra),
    'summaries': (('measure', *SUMMARY), summaries),
    'alignment': (('other', 'cka', 'null', 'rows', 'num_rows'), alignment),
}


def _of(blocks: Blocks, measures: Iterable[str]) -> Iterator[tuple[str, str, Any]]:
    """Block, measure and what it says, where it was taken."""
    for key, block in blocks.items():
        for measure in measures:
            if measure in block:
                yield key, measure, block[measure]


def _of_channels(blocks: Blocks) -> Iterator[tuple[str, str, Any]]:
    """Block, measure and curve: the kinds of SEP, and sorted energy."""
    for key, block in blocks.items():
        for kind, shares in block.get('sep', {}).items():
            yield key, f'sep_{kind}', shares
        if 'sorted_energy' in block:
            yield key, 'sorted_energy', block['sorted_energy']


def _is_threshold(key: str) -> bool:
    """Whether a key of ``svd`` or ``pca`` is a share such as 0.99."""
    return key.startswith(('0.', '1.'))


def _numbered(*columns: list[float]) -> Iterator[tuple[Any, ...]]:
    """Rows of columns, counted from 1."""
    for number, row in enumerate(zip(*columns, strict=True), 1):
        yield number, *row


def _write(path: Path, header: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> None:
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(header)
        writer.writerows(rows)
