"""Tables of docs/recommend.md: does the floor order the errors, and is the advice the best?"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from mmvitkd.experiments.feature_scores import token_scores
from mmvitkd.experiments.statistics import paired_difference
from mmvitkd.utils.tables import markdown_table

import numpy as np
from scipy import stats

from .cells import interval_text, mean_text, read, scores_of
from .study import COLUMNS, REMEDIES

# Recorded runs, named REMEDY_WIDTH, by what is on their images.
FILES = {'solar cells': 'recommend/cells.json', 'digits': 'recommend/digits.json'}
# What was advised at each width before the runs.
ADVICE = {
    'solar cells': {16: 'widelast', 32: 'widelast', 96: 'projector', 192: 'projector'},
    'digits': {4: 'widelast', 8: 'widelast', 16: 'projector', 32: 'projector'},
}
SHOWN = ('train_rel_error', 'rel_error', 'floor', 'mean_token', 'readout_r2', 'cka', 'knn')
COMPARED = ('train_rel_error', 'rel_error', 'readout_r2', 'knn')
ACCURACY = 'accuracy %'


class Students:
    """The recorded students of one remedy and width.

    Attributes:
        remedy: A name of ``REMEDIES``.
        width: Of the student, in channels.
        scores: By seed: the scores of its tokens, and its accuracy.
    """

    def __init__(self, results: Mapping[str, Any], name: str) -> None:
        self.remedy, width = name.rsplit('_', 1)
        self.width = int(width)
        features = results['runs'][name]['features']
        self.scores = {
            seed: {**token_scores(features[str(seed)]), ACCURACY: accuracy}
            for seed, accuracy in scores_of(results, name).items()
        }

    def mean(self, key: str) -> float:
        """Return the mean of a score over the seeds."""
        return float(np.mean([found[key] for found in self.scores.values()]))


def cells_widths_table() -> str:
    """Return a row for each student of the solar cells."""
    return _widths_table('solar cells')


def digits_widths_table() -> str:
    """Return a row for each student of the digits."""
    return _widths_table('digits')


def _widths_table(images: str) -> str:
    rows = []
    for students in _students(images):
        scores = list(students.scores.values())
        cells = [mean_text(scores, key, COLUMNS[key][1]) for key in SHOWN]
        accuracy = mean_text(scores, ACCURACY, 1)
        rows.append([str(students.width), REMEDIES[students.remedy], *cells, accuracy])
    names = [COLUMNS[key][0] for key in SHOWN]
    return markdown_table(['width', 'remedy', *names, ACCURACY], rows, text_columns=2)


def order_table() -> str:
    """Return how well the floor orders the errors: rank correlations, and what it misses."""
    rows = []
    for images in FILES:
        found = list(_students(images))
        floors = {s.width: s.mean('floor') for s in found if s.remedy == 'projector'}
        for remedy in ('projector', 'lift', 'widelast'):
            for key in ('train_rel_error', 'rel_error'):
                errors = {s.width: s.mean(key) for s in found if s.remedy == remedy}
                cells = _order(floors, errors)
                rows.append([images, REMEDIES[remedy], COLUMNS[key][0], *cells])
    header = ['images', 'remedy', 'error', 'rank correlation', 'misses']
    return markdown_table(header, rows, text_columns=3)


def _order(floors: Mapping[int, float], errors: Mapping[int, float]) -> tuple[str, str]:
    """Return Spearman's correlation over widths, and the pairs in another order."""
    widths = sorted(errors)
    found = stats.spearmanr([floors[w] for w in widths], [errors[w] for w in widths])
    misses = [f'{a} below {b}' for a, b in combinations(widths, 2) if errors[a] < errors[b]]
    return f'{found.statistic:.2f}', ', '.join(misses) or 'none'


def advice_table() -> str:
    """Return, for each width, the advice and what WideLast gained over a projector."""
    rows = []
    for images, advice in ADVICE.items():
        found = {(s.remedy, s.width): s for s in _students(images)}
        for width, remedy in advice.items():
            pair = found['widelast', width], found['projector', width]
            cells = [_difference(*pair, key, COLUMNS[key][1]) for key in COMPARED]
            cells.append(_difference(*pair, ACCURACY, 1))
            rows.append([images, str(width), REMEDIES[remedy], *cells])
    names = [COLUMNS[key][0] for key in COMPARED]
    return markdown_table(['images', 'width', 'advice', *names, ACCURACY], rows, text_columns=3)


def _difference(students: Students, others: Students, key: str, digits: int) -> str:
    """Format a mean difference, paired by seed, with its interval if there is one."""
    pair = ({seed: s[key] for seed, s in each.scores.items()} for each in (students, others))
    difference = paired_difference(*pair)
    return '' if difference is None else interval_text(difference, f'+.{digits}f', digits)


def _students(images: str) -> Iterator[Students]:
    """Yield the recorded students, from narrow to wide."""
    results = read(FILES[images])
    for name in results['runs']:
        yield Students(results, name)
