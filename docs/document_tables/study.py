"""Tables of docs/foundation.md: a study on real images."""

from mmvitkd.experiments.feature_scores import token_scores
from mmvitkd.experiments.statistics import summarize
from mmvitkd.utils.tables import markdown_table

from .cells import interval_text, mean_text, read

# Names of the runs of foundation/targets.json.
TARGETS = {
    'projector_standardised': 'standardised',
    'projector_raw': 'raw',
    'projector_centred': 'centred',
    'projector_final_norm': 'final norm',
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
    rows = []
    for name, run in read('foundation/targets.json')['runs'].items():
        scores = [token_scores(found) for found in run['features'].values()]
        cells = [mean_text(scores, key, digits) for key, (_, digits) in COLUMNS.items()]
        metric = interval_text(summarize(list(run['scores'].values())), '.1f')
        rows.append([TARGETS[name], *cells, metric])
    names = [column for column, _ in COLUMNS.values()]
    return markdown_table(['target', *names, 'balanced accuracy %'], rows)
