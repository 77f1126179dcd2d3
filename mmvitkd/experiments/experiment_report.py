"""Report an experiment: its numbers, its table and a caption."""

from collections.abc import Mapping, Sequence
from typing import Any

from .feature_scores import token_scores
from .run import Run
from .statistics import Summary, paired_difference, summarize
from .suite import Suite

Scores = Mapping[str, Mapping[int, float]]
Features = Mapping[str, Mapping[int, dict[str, Any]]]  # results of `feature_scores`
KEPT = ('compared', 'classified', 'training')  # of these, in results.json
FEATURE_COLUMNS = {
    'train_rel_error': 'relative error in training',
    'rel_error': 'held out',
    'floor': 'floor',
    'mean_token': 'of the mean token',
    'r2': 'R2',
    'readout_r2': 'R2 of a ridge readout',
    'cka': 'CKA',
    'knn': 'k-NN top-1 %',
    'probe': 'linear probe top-1 %',
}


def scores_of(suite: Suite, runs: Sequence[Run]) -> dict[str, dict[int, float]]:
    """Return the scores of the finished runs by seed, by the name of the entry."""
    scores: dict[str, dict[int, float]] = {name: {} for name in suite.compared}
    for run in runs:
        if run.seed is not None and run.result() is not None:
            scores[run.entry.name][run.seed] = run.score()
    return scores


def table_of(scores: Scores, suite: Suite) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table; cells without a value are empty."""
    header = ['run', 'seeds', suite.metric, '95 %', 's.d.', f'minus {suite.reference}', '95 %']
    is_share = all(abs(value) <= 1 for values in scores.values() for value in values.values())
    form = '.4f' if is_share else '.2f'
    rows = []
    for name, values in scores.items():
        summary = _summary(values)
        deviation = None if summary is None else summary.deviation
        rows.append(
            [
                name,
                str(len(values)),
                *_mean_and_half(summary, form),
                '' if deviation is None else format(deviation, form),
                *_mean_and_half(_difference(name, scores, suite), f'+{form}'),
            ]
        )
    return header, rows


def features_table_of(features: Features) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table of features: means over seeds, with s.d."""
    rows = []
    for name, seeds in features.items():
        each = [token_scores(found) for found in seeds.values()]
        row = [name, str(len(each))]
        for key in FEATURE_COLUMNS:
            values = [scores[key] for scores in each if key in scores]
            form = '.2f' if key in ('knn', 'probe') else '.4f'
            row.append(_mean_and_deviation(_summary(dict(enumerate(values))), form))
        rows.append(row)
    return ['run', 'seeds', *FEATURE_COLUMNS.values()], rows


def caption_of(scores: Scores, suite: Suite) -> str:
    """Return how the numbers were computed, and what they cannot show."""
    once = [entry.name for entry in suite.entries if entry.once]
    shared = ' and the same '.join(['the same images', *once])
    return (
        'The last validation of each training, over seeds: mean, 95 % interval of the mean by '
        "Student's t, standard deviation. The difference is taken seed by seed and has an "
        'interval of its own, not widened for the number of comparisons: the more there are, '
        'the more likely one misses by chance. A seed changes the initial weights, the order '
        f'of the images and their augmentation; all runs share {shared}, so the intervals do '
        'not cover other choices of these.'
    )


def content_of(
    scores: Scores,
    suite: Suite,
    runs: Sequence[Run],
    failed: Mapping[str, str],
    features: Features,
) -> dict[str, Any]:
    """Return the numbers as they are written to JSON."""
    configs = {entry.name: entry.config.name for entry in suite.entries}
    entries: dict[str, dict[str, Any]] = {}
    for name, values in scores.items():
        summary = _summary(values)
        entries[name] = dict(
            config=configs[name],
            scores=values,
            summary=_numbers(summary),
            difference=_numbers(_difference(name, scores, suite)),
        )
        for seed, found in features.get(name, {}).items():
            kept = {key: found[key] for key in KEPT if key in found}
            entries[name].setdefault('features', {})[seed] = kept
    trainings = {}
    for run in runs:
        result = run.result()
        if result is not None:
            trainings[run.name] = dict(vars(result))
    return dict(
        suite=suite.file.name,
        metric=suite.metric,
        reference=suite.reference,
        runs=entries,
        trainings=trainings,
        failed=dict(failed),
    )


def _mean_and_half(summary: Summary | None, form: str) -> list[str]:
    """Format mean and half interval, empty if there is none."""
    if summary is None:
        return ['', '']
    half = '' if summary.half is None else f'± {format(summary.half, form.lstrip("+"))}'
    return [format(summary.mean, form), half]


def _mean_and_deviation(summary: Summary | None, form: str) -> str:
    if summary is None:
        return ''
    deviation = '' if summary.deviation is None else f' ({format(summary.deviation, form)})'
    return format(summary.mean, form) + deviation


def _difference(name: str, scores: Scores, suite: Suite) -> Summary | None:
    if name == suite.reference:
        return None
    return paired_difference(scores[name], scores[suite.reference])


def _summary(values: Mapping[int, float]) -> Summary | None:
    return summarize(list(values.values())) if values else None


def _numbers(summary: Summary | None) -> dict[str, Any] | None:
    return None if summary is None else dict(summary._asdict(), interval=summary.interval)
