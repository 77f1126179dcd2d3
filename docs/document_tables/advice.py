"""Tables of docs/recommend.md: does the floor order the errors, and is the advice the best?"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

from mmvitkd.experiments import read_suite, runs_of
from mmvitkd.experiments.feature_scores import token_scores
from mmvitkd.experiments.statistics import paired_difference
from mmvitkd.utils.tables import markdown_table

import numpy as np
from scipy import stats

from .cells import DOCS, interval_text, mean_text, read, scores_of, student_parameters
from .study import COLUMNS, REMEDIES

# Recorded runs, named REMEDY_WIDTH, and their suites, by what is on their images.
FILES = {'solar cells': 'recommend/cells.json', 'digits': 'recommend/digits.json'}
SUITES = {'solar cells': 'elpv_widths.yml', 'digits': 'mnist5k_widths.yml'}
SUITE_DIR = DOCS.parent / 'configs' / 'suites'
# What was advised at each width before the runs.
ADVICE = {
    'solar cells': {16: 'widelast', 32: 'widelast', 96: 'projector', 192: 'projector'},
    'digits': {4: 'widelast', 8: 'widelast', 16: 'projector', 32: 'projector'},
}
SHOWN = ('train_rel_error', 'rel_error', 'floor', 'mean_token', 'readout_r2', 'cka', 'knn')
COMPARED = ('train_rel_error', 'rel_error', 'readout_r2', 'knn')
ORDERED = ('projector', 'lift', 'widelast')
ACCURACY = 'accuracy %'
NAMES = REMEDIES | {'advised': 'projector as printed'}


class Students:
    """The recorded students of one remedy and width.

    Attributes:
        remedy: A name of ``NAMES``.
        width: Of the student, in channels.
        parameters: Of one student.
        scores: By seed: the scores of its tokens, and its accuracy.
    """

    def __init__(self, results: Mapping[str, Any], name: str, parameters: int) -> None:
        self.remedy, width = name.rsplit('_', 1)
        self.width, self.parameters = int(width), parameters
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
    for students in students_of(images):
        scores = list(students.scores.values())
        cells = [mean_text(scores, key, COLUMNS[key][1]) for key in SHOWN]
        accuracy = mean_text(scores, ACCURACY, 1)
        parameters = f'{students.parameters:,}'
        rows.append([str(students.width), NAMES[students.remedy], parameters, *cells, accuracy])
    names = ['parameters', *(COLUMNS[key][0] for key in SHOWN)]
    return markdown_table(['width', 'remedy', *names, ACCURACY], rows, text_columns=2)


def order_table() -> str:
    """Return how well the floor orders errors and gains, next to the number of parameters."""
    rows = []
    for images in FILES:
        found = {(s.remedy, s.width): s for s in students_of(images)}
        widths = list(ADVICE[images])
        floors = [found['projector', width].mean('floor') for width in widths]
        for key in ('train_rel_error', 'rel_error'):
            errors = {r: [found[r, w].mean(key) for w in widths] for r in ORDERED}
            both = [*errors['projector'], *errors['widelast']]
            sizes = [found[r, w].parameters for r in ('projector', 'widelast') for w in widths]
            pairs = zip(errors['projector'], errors['widelast'], strict=True)
            gains = [projector - widelast for projector, widelast in pairs]
            start = [images, COLUMNS[key][0]]
            for remedy, values in errors.items():
                cells = [_correlation(floors, values), '', _misses(widths, values)]
                rows.append([*start, f'error of {REMEDIES[remedy]}', *cells])
            joint = [_correlation(floors * 2, both), _correlation(sizes, both), '']
            rows.append([*start, 'error of projector and WideLast', *joint])
            cells = [_correlation(floors, gains), '', _misses(widths, gains)]
            rows.append([*start, 'gain of WideLast over projector', *cells])
    header = ['images', 'measured', 'what is ordered', 'with the floor', 'with the parameters']
    return markdown_table([*header, 'misses of the floor'], rows, text_columns=3)


def _correlation(first: Sequence[float], second: Sequence[float]) -> str:
    """Format Spearman's rank correlation."""
    return f'{stats.spearmanr(first, second).statistic:+.2f}'


def _misses(widths: Sequence[int], values: Sequence[float]) -> str:
    """Return the pairs of widths of which the narrower one, with more of a floor, has less."""
    by_width = dict(zip(widths, values, strict=True))
    pairs = combinations(widths, 2)
    return ', '.join(f'{a} below {b}' for a, b in pairs if by_width[a] < by_width[b]) or 'none'


def advice_table() -> str:
    """Return, for each width, the advice and what WideLast gained over a projector."""
    rows = []
    for images, advice in ADVICE.items():
        found = {(s.remedy, s.width): s for s in students_of(images)}
        for width, remedy in advice.items():
            for other in ('projector', 'advised'):
                if (other, width) in found:
                    pair = found['widelast', width], found[other, width]
                    cells = [_difference(*pair, key, COLUMNS[key][1]) for key in COMPARED]
                    cells.append(_difference(*pair, ACCURACY, 1))
                    rows.append([images, str(width), REMEDIES[remedy], NAMES[other], *cells])
    names = [COLUMNS[key][0] for key in COMPARED]
    header = ['images', 'width', 'advice', 'WideLast minus', *names, ACCURACY]
    return markdown_table(header, rows, text_columns=4)


def _difference(students: Students, others: Students, key: str, digits: int) -> str:
    """Format a mean difference, paired by seed, with its interval if there is one."""
    pair = ({seed: s[key] for seed, s in each.scores.items()} for each in (students, others))
    difference = paired_difference(*pair)
    return '' if difference is None else interval_text(difference, f'+.{digits}f', digits)


@cache
def students_of(images: str) -> Sequence[Students]:
    """Return the recorded students, from narrow to wide."""
    results = read(FILES[images])
    runs = runs_of(read_suite(SUITE_DIR / SUITES[images]), [0], Path())
    sizes = {run.entry.name: student_parameters(run.config) for run in runs}
    return [Students(results, name, sizes[name]) for name in results['runs']]
