"""Tables of docs/foundation.md: a study on real images."""

from collections.abc import Mapping

from mmvitkd.experiments.feature_scores import token_scores
from mmvitkd.experiments.statistics import summarize
from mmvitkd.utils.tables import markdown_table

from .cells import difference_cell, interval_text, mean_text, read, score_cells

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
LABEL_FREE = {
    'projector': 'projector',
    'widelast': 'WideLast',
    'projector_before_norm': 'projector, before the norms',
    'widelast_before_norm': 'WideLast, before the norms',
}
# What is shown of the patch tokens, and its digits.
COLUMNS = {
    'train_rel_error': ('error in training', 3),
    'rel_error': ('held out', 3),
    'floor': ('floor', 4),
    'mean_token': ('mean token', 3),
    'r2': ('R2', 3),
    'readout_r2': ('R2 of a readout', 3),
    'cka': ('CKA', 3),
    'knn': ('k-NN %', 1),
    'probe': ('probe %', 1),
}


def study_targets_table() -> str:
    """Return the features and the accuracy of a projector with each target."""
    return _students_table('foundation/targets.json', TARGETS, 'target', 'balanced accuracy %')


def remedies_table() -> str:
    """Return the features of each remedy's students."""
    return _students_table('foundation/remedies.json', REMEDIES, 'student')


def study_label_free_table() -> str:
    """Return the features of the students that saw no label."""
    return _students_table('foundation/label_free.json', LABEL_FREE, 'student')


def _students_table(
    file: str, names: Mapping[str, str], first: str, metric: str | None = None
) -> str:
    """Return a row per run: means over seeds of errors and similarities, and the metric."""
    rows = []
    for name, run in read(file)['runs'].items():
        scores = [token_scores(found) for found in run['features'].values()]
        cells = [mean_text(scores, key, digits) for key, (_, digits) in COLUMNS.items()]
        if metric is not None:
            cells.append(interval_text(summarize(list(run['scores'].values())), '.1f'))
        rows.append([names[name], *cells])
    header = [first, *(column for column, _ in COLUMNS.values())]
    return markdown_table([*header, *([metric] if metric else [])], rows)


def remedy_accuracies_table() -> str:
    """Return every balanced accuracy, and the differences to plain distillation and labels."""
    results = read('foundation/remedies.json')
    rows = []
    for name in results['runs']:
        cells = [*score_cells(results, name), difference_cell(results, name, 'labels_only')]
        rows.append([REMEDIES[name], *cells])
    header = ['student', 'balanced accuracy % of each seed', 'mean, 95 %', 'minus plain, 95 %']
    return markdown_table([*header, 'minus labels only, 95 %'], rows)
