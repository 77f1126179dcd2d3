"""Say on a model card how good a student is: its metrics, and its distance to the teacher."""

import re
from collections.abc import Sequence
from math import nan

from ..utils.markdown import escape
from ..utils.tables import markdown_table
from .score import Score

# What FeatureErrorHook logs of each loss, and their means.
FEATURE_ERROR = re.compile(r'feature/(?:(.+)/)?val_(rel_error|mean_token|r2)')
MEAN_R2 = 'feature/val_r2'
ERRORS = {'rel_error': 'relative error', 'mean_token': 'of the mean token', 'r2': 'R2'}
CLOSENESS = (
    'On the images of {source}, as the loss compares them: through the projector of the '
    'training, if it had one. The relative error is the squared error over the squared length '
    "of the target; next to it is that of always predicting the teacher's mean token. R2 is 1 "
    'for equal features and 0 for the mean token.'
)


def score_text(score: Score | None) -> str:
    """Return the metrics in a line; of the features' errors, which have a section, the mean."""
    found = score.metrics if score else {}
    metrics = [_metric(k, v) for k, v in found.items() if not FEATURE_ERROR.fullmatch(k)]
    if MEAN_R2 in found:
        metrics.append(f'R2 of the features {found[MEAN_R2]:.4f}')
    return f'{", ".join(metrics)} ({score.source})' if score and metrics else 'not measured'


def closeness(score: Score | None, pairs: Sequence[str]) -> list[str]:
    """Return the section about the errors of the features, empty if they are not known.

    Args:
        score: The metrics.
        pairs: What the training compared as ``pair_0``, ``pair_1`` and so on.
    """
    errors: dict[str, dict[str, float]] = {}
    for name, value in (score.metrics if score else {}).items():
        found = FEATURE_ERROR.fullmatch(name)
        if found and found[1]:
            errors.setdefault(found[1], {})[found[2]] = value
    if not score or not errors:
        return []
    names = {f'pair_{index}': pair for index, pair in enumerate(pairs)}
    rows = [
        [escape(names.get(name, name)), *(f'{found.get(key, nan):.4f}' for key in ERRORS)]
        for name, found in errors.items()
    ]
    return [
        '## How close it is to its teacher',
        CLOSENESS.format(source=score.source),
        markdown_table(['', *ERRORS.values()], rows),
    ]


def _metric(name: str, value: float) -> str:
    """Format a metric; MMPretrain's ``accuracy/top1`` is in percent."""
    accuracy = re.fullmatch(r'accuracy/top(\d+)', name)
    return f'top-{accuracy[1]} {value:.2f} %' if accuracy else f'{escape(name)} {value:.2f}'
