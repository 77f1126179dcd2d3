"""Tables of features over seeds: docs/targets.md and docs/foundation_models.md."""

from collections.abc import Mapping

from mmvitkd.experiments.feature_scores import token_scores
from mmvitkd.experiments.statistics import summarize
from mmvitkd.utils.tables import markdown_table

from .cells import interval_text, mean_text, read

# Names of the runs of targets/results.json: a remedy, then what differs from the raw target.
REMEDIES = {
    'vit_32_feature_kd': 'plain',
    'vit_32_projector': 'projector',
    'vit_32_lift': 'Lift',
    'vit_32_widelast': 'WideLast',
}
TARGETS = {
    '': 'raw',
    '_start': 'raw, `norm_from_target`',
    '_centred': 'centred',
    '_standardised': 'standardised',
    '_final_norm': 'final norm',
    '_final_norm_start': 'final norm, `norm_from_target`',
}
# The same of foundation_models/label_free.json: a remedy, then the loss.
ENCODERS = {'projector': 'projector', 'lift': 'Lift', 'widelast': 'WideLast'}
LOSSES = {
    '_mse': 'MSE',
    '_mse_standardised': 'MSE, standardised',
    '_cosine': 'cosine and smooth L1',
}


def targets_table() -> str:
    """Return the features and the accuracy of each remedy with each target."""
    names = _combined(REMEDIES, TARGETS)
    return _features_table('targets/results.json', names, 'target', 'top-1 %')


def label_free_table() -> str:
    """Return the features of each remedy with each loss, without labels."""
    names = _combined(ENCODERS, LOSSES)
    return _features_table('foundation_models/label_free.json', names, 'loss')


def _combined(
    first: Mapping[str, str], second: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return what two parts of a name mean, by the name."""
    return {a + b: (x, y) for a, x in first.items() for b, y in second.items()}


def _features_table(
    file: str, names: Mapping[str, tuple[str, str]], second: str, metric: str | None = None
) -> str:
    """Return a row per run: means over seeds of its patch tokens, k-NN, probe and metric."""
    rows = []
    for name, run in read(file)['runs'].items():
        scores = [token_scores(found) for found in run['features'].values()]
        shares = ('rel_error', 'mean_token', 'r2', 'readout_r2')
        cells = [mean_text(scores, key, 3) for key in shares]
        cells += [mean_text(scores, key, 1) for key in ('knn', 'probe')]
        if metric is not None:
            cells.append(interval_text(summarize(list(run['scores'].values())), '.1f'))
        rows.append([*names[name], *cells])
    header = ['remedy', second, 'relative error', 'mean token', 'R2', 'R2 of a readout']
    header += ['k-NN %', 'probe %', *([metric] if metric else [])]
    return markdown_table(header, rows, text_columns=2)
