"""Tables of docs/foundation.md and docs/recommend.md: a study on real images."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from mmvitkd.experiments.feature_scores import token_scores
from mmvitkd.experiments.statistics import paired_difference, summarize
from mmvitkd.utils.tables import markdown_table

import numpy as np
from scipy import stats

from .cells import interval_text, mean_text, read, scores_of

# Names of the runs of foundation/targets.json, remedies.json and label_free.json.
TARGETS = {
    'projector_standardised': 'standardised',
    'projector_raw': 'raw',
    'projector_centred': 'centred',
    'projector_final_norm': 'final norm',
}
REMEDIES = {
    'labels_only': 'labels only',
    'feature_kd': 'plain, pooled',
    'projector': 'projector',
    'lift': 'Lift',
    'widelast': 'WideLast',
}
# What is shown of the patch tokens, and its digits.
ERRORS = {
    'train_rel_error': ('error in training', 3),
    'rel_error': ('held out', 3),
    'floor': ('floor', 4),
    'mean_token': ('mean token', 3),
}
SIMILARITIES = {
    'r2': ('R2', 3),
    'readout_r2': ('R2 of a readout', 3),
    'cka': ('CKA', 3),
    'knn': ('k-NN %', 1),
    'probe': ('probe %', 1),
}
# The errors that the floor should order, by the name of the recorded runs.
WIDTHS = {'foundation/widths.json': 'solar cells', 'recommend/widths.json': 'digits'}


def study_targets_table() -> str:
    """Return the features and the accuracy of a projector with each target."""
    return _students_table('foundation/targets.json', TARGETS, 'target', 'balanced accuracy %')


def remedies_table() -> str:
    """Return the features and the accuracy of each student."""
    return _students_table('foundation/remedies.json', REMEDIES, 'student')


def study_label_free_table() -> str:
    """Return the features of the students that saw no label."""
    return _students_table('foundation/label_free.json', REMEDIES, 'student')


def _students_table(
    file: str, names: Mapping[str, str], first: str, metric: str | None = None
) -> str:
    """Return a row per run: means over seeds of errors and similarities, and the metric."""
    rows, columns = [], ERRORS | SIMILARITIES
    for name, run in read(file)['runs'].items():
        scores = [token_scores(found) for found in run['features'].values()]
        cells = [_cell(scores, key, digits) for key, (_, digits) in columns.items()]
        if metric is not None:
            cells.append(interval_text(summarize(list(run['scores'].values())), '.1f'))
        rows.append([names[name], *cells])
    header = [first, *(column for column, _ in columns.values())]
    return markdown_table([*header, *([metric] if metric else [])], rows)


def _cell(scores: list[dict[str, float]], key: str, digits: int) -> str:
    """Format a mean; nothing for a student without a teacher."""
    return mean_text(scores, key, digits) if all(key in found for found in scores) else ''


def remedy_accuracies_table() -> str:
    """Return every balanced accuracy, and the differences to plain distillation."""
    results = read('foundation/remedies.json')
    reference = scores_of(results, results['reference'])
    rows = []
    for name in results['runs']:
        values = scores_of(results, name)
        difference = paired_difference(values, reference)
        is_reference = name == results['reference'] or difference is None
        rows.append(
            [
                REMEDIES[name],
                ' '.join(f'{score:.1f}' for score in values.values()),
                interval_text(summarize(list(values.values())), '.2f'),
                '' if is_reference else interval_text(difference, '+.2f'),
            ]
        )
    header = ['student', 'balanced accuracy % of each seed', 'mean, 95 %']
    return markdown_table([*header, 'minus plain, 95 %'], rows)


def widths_table(file: str) -> str:
    """Return a row per width and remedy: errors next to the floor, k-NN, probe and metric."""
    rows = []
    for (remedy, width), (scores, metrics) in _by_width(read(file)).items():
        keys = {**ERRORS, 'knn': ('k-NN %', 1), 'probe': ('probe %', 1)}
        cells = [mean_text(scores, key, digits) for key, (_, digits) in keys.items()]
        rows.append([str(width), REMEDIES[remedy], *cells, f'{np.mean(metrics):.1f}'])
    header = ['width', 'remedy', *(name for name, _ in ERRORS.values()), 'k-NN %', 'probe %']
    return markdown_table([*header, 'accuracy %'], rows)


def order_table() -> str:
    """Return how well the floor orders the errors: rank correlations, and pairs it misses."""
    rows = []
    for file, images in WIDTHS.items():
        found = _by_width(read(file))
        floors = {
            width: np.mean([score['floor'] for score in scores])
            for (remedy, width), (scores, _) in found.items()
            if remedy == 'projector'
        }
        for remedy in ('projector', 'lift', 'widelast'):
            for key in ('train_rel_error', 'rel_error'):
                errors = {
                    width: float(np.mean([score[key] for score in scores]))
                    for (name, width), (scores, _) in found.items()
                    if name == remedy
                }
                rows.append([images, REMEDIES[remedy], ERRORS[key][0], *_order(floors, errors)])
    header = ['images', 'remedy', 'error', 'widths', 'rank correlation', 'misses']
    return markdown_table(header, rows, text_columns=3)


def _order(floors: Mapping[int, float], errors: Mapping[int, float]) -> list[str]:
    """Return the number of widths, Spearman's correlation, and the pairs in another order."""
    widths = sorted(errors)
    correlation = stats.spearmanr([floors[w] for w in widths], [errors[w] for w in widths])
    misses = [
        f'{a} under {b}' if errors[a] < errors[b] else f'{a} as {b}'
        for a, b in combinations(widths, 2)
        if errors[a] <= errors[b]
    ]
    return [str(len(widths)), f'{correlation.statistic:.2f}', ', '.join(misses) or 'none']


def _by_width(
    results: Mapping[str, Any],
) -> dict[tuple[str, int], tuple[list[dict[str, float]], list[float]]]:
    """Return token scores and metrics of the runs named REMEDY_WIDTH, by remedy and width."""
    found = {}
    for name, run in results['runs'].items():
        remedy, width = name.rsplit('_', 1)
        scores = [token_scores(features) for features in run['features'].values()]
        found[remedy, int(width)] = scores, list(run['scores'].values())
    return found
