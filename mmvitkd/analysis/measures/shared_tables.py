"""Build CSV tables, text and numbers that several measures share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...utils.tables import markdown_table
from ..plotting.panels import block_label
from .base import Entry, Number, Table
from .published import IMAGE_SIZE, PUBLISHED, Published

Row = tuple[Any, ...]
Rows = Callable[[Entry], Iterator[Row]]

SUMMARY = ('mean', 'std', 'median', 'q25', 'q75', 'p99')
SUMMARIES = Table('summaries', ('measure', *SUMMARY))
DIMENSIONS = Table('dimensions', ('measure', 'threshold', *SUMMARY))
ENERGY_CURVES = Table('energy_curves', ('measure', 'directions', 'share', 'std'))
BANDWIDTHS = Table(
    'bandwidths',
    ('measure', 'threshold', 'd', 'bandwidth', 'change', 'low', 'high', 'p_value'),
)
CHANNEL_CURVES = Table('channel_curves', ('measure', 'count', 'share', 'std'))

DIRECTIONS_NOTE = (
    "SVD and PCA 99 %: directions for 99 % of an image's energy, 99th percentile over images."
)
B90_NOTE = (
    'b90: share of the frequencies (SEP) or of the channels, the strongest first (sorted), '
    "that holds 90 % of a token's energy."
)
MEANS_NOTE = (
    'Participation, effective rank, intensity, entropy, activation and gradient are means over '
    'images.'
)
UNIT_NOTE = (
    'Intensity, activation and gradient are in the unit of the features of each model: their '
    'heights do not compare.'
)

THRESHOLDS = ('0.80', '0.90', '0.95', '0.99')
DIRECTIONS = {'svd': "image's own (SVD)", 'pca': "dataset's (PCA)"}


def format_digits(number: float) -> str:
    """Format a number with four significant digits."""
    return f'{number:.4g}'


def number_rows(*columns: Sequence[float]) -> Iterator[Row]:
    """Yield rows of columns, counted from 1."""
    for number, row in enumerate(zip(*columns, strict=True), 1):
        yield number, *row


def mean(entry: str) -> Number:
    """Return a function from a block to the mean of one of its summaries."""
    return lambda block: block[entry]['mean']


def p99(entry: str) -> Number:
    """Return a function from a block to the 99th percentile of its dimensions for 99 %."""
    return lambda block: block[entry]['0.99']['p99']


def summary_rows(entry: str) -> Rows:
    """Return a function from a block to the row of an entry that is a summary over images."""

    def rows(block: Entry) -> Iterator[Row]:
        if entry in block:
            yield entry, *(block[entry][name] for name in SUMMARY)

    return rows


def dimension_rows(entry: str) -> Rows:
    """Return a function from a block to its dimensions at each share of an image's energy."""

    def rows(block: Entry) -> Iterator[Row]:
        for threshold, summary in block.get(entry, {}).items():
            if threshold.startswith(('0.', '1.')):
                yield entry, threshold, *(summary[name] for name in SUMMARY)

    return rows


def energy_curve_rows(entry: str) -> Rows:
    """Return a function from a block to the shares of energy in the first directions."""

    def rows(block: Entry) -> Iterator[Row]:
        if entry in block:
            for row in number_rows(block[entry]['curve'], block[entry]['std']):
                yield entry, *row

    return rows


def bandwidth_rows(kinds: Mapping[str, str]) -> Rows:
    """Return a function from a block to channels or frequencies for each share of energy.

    Args:
        kinds: Names of rows by the path of their dict, ``{'sep.full': 'sep_full'}``.
    """

    def rows(block: Entry) -> Iterator[Row]:
        for name, shares in _of_kinds(block, kinds):
            for threshold, d in shares['d'].items():
                change = shares.get('change', {}).get(threshold, {})
                yield (
                    *(name, threshold, d, shares['bandwidth'][threshold]),
                    *(change.get(key, '') for key in ('mean', 'low', 'high')),
                    shares.get('p_value', {}).get(threshold, ''),
                )

    return rows


def channel_curve_rows(kinds: Mapping[str, str]) -> Rows:
    """Return a function from a block to shares of energy in the first channels, likewise."""

    def rows(block: Entry) -> Iterator[Row]:
        for name, shares in _of_kinds(block, kinds):
            for row in number_rows(shares['curve'], shares['std']):
                yield name, *row

    return rows


def published_of(report: Mapping[str, Any]) -> Published | None:
    """Return what is published of the last block in a report, measured likewise.

    It is of a pretrained model, its last block before the final norm, and images of 224 px.
    """
    settings = report['settings']
    is_alike = (
        not report.get('random_weights')
        and list(report['blocks'])[-1] == str(report.get('num_blocks', 0) - 1)
        and not settings.get('final_norm')
        and settings.get('image_size') == IMAGE_SIZE
    )
    return PUBLISHED.get(report['model']) if is_alike else None


def dimension_table(report: Mapping[str, Any]) -> list[str]:
    """Return a table of the last block's dimensions, next to the published ones."""
    key, block = list(report['blocks'].items())[-1]
    published, rows = published_of(report), []
    for entry, name in DIRECTIONS.items():
        if entry in block:
            rows.append([name, *(format_digits(block[entry][t]['p99']) for t in THRESHOLDS)])
            if published:
                rows.append([f'{name}, published', *map(str, getattr(published, entry))])
    if not rows:
        return []
    header = [
        f'{block_label(key)}, 99th percentile',
        *(f'{100 * float(t):g} %' for t in THRESHOLDS),
    ]
    return [markdown_table(header, rows)]


def published_note(report: Mapping[str, Any]) -> list[str]:
    """Say what the published numbers in these tables are of."""
    block = list(report['blocks'].values())[-1]
    if not block.keys() & {*DIRECTIONS, 'sep'} or not published_of(report):
        return []
    return [
        'Published for the pretrained model, its last block and the first validation image of '
        'each of the 1,000 classes of ImageNet at 224 px (arXiv 2511.15572).'
    ]


def _of_kinds(block: Entry, kinds: Mapping[str, str]) -> Iterable[tuple[str, Any]]:
    for path, name in kinds.items():
        found: Any = block
        for key in path.split('.'):
            found = found.get(key, {})
        if found:
            yield name, found
