"""What an experiment came to: the numbers, a table and what it can tell."""

from collections.abc import Mapping, Sequence
from typing import Any

from .run import Cell
from .statistics import Summary, paired_difference, summarise
from .suite import Suite

Scores = Mapping[str, Mapping[int, float]]


def scores_of(suite: Suite, cells: Sequence[Cell]) -> dict[str, dict[int, float]]:
    """The scores of the cells that are done, by seed, by the name of the run."""
    scores: dict[str, dict[int, float]] = {name: {} for name in suite.compared}
    for cell in cells:
        if cell.seed is not None and cell.result() is not None:
            scores[cell.entry.name][cell.seed] = cell.score()
    return scores


def table_of(scores: Scores, suite: Suite) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of the table; an empty cell where there is nothing to say."""
    header = ['run', 'seeds', suite.metric, '95 %', 's.d.', f'minus {suite.reference}', '95 %']
    rows = []
    for name, values in scores.items():
        summary = _summary(values)
        deviation = None if summary is None else summary.deviation
        rows.append(
            [
                name,
                str(len(values)),
                *_cells(summary, '.2f'),
                '' if deviation is None else f'{deviation:.2f}',
                *_cells(_difference(name, scores, suite), '+.2f'),
            ]
        )
    return header, rows


def caption_of(scores: Scores, suite: Suite) -> str:
    """How the numbers were reckoned, and what they cannot tell."""
    once = [entry.name for entry in suite.entries if entry.once]
    alike = ' and the same '.join(['the same images', *once])
    return (
        'The last validation of each training, over seeds: mean, 95 % interval of the mean by '
        "Student's t, standard deviation. The difference is taken seed by seed and has an "
        'interval of its own, not widened for the number of comparisons: the more there are, '
        'the likelier one misses by chance. A seed moves the first weights, the order of the '
        f'images and their augmentation; all runs have {alike}, so nothing here tells of '
        'others.'
    )


def content_of(
    scores: Scores, suite: Suite, cells: Sequence[Cell], failed: Mapping[str, str]
) -> dict[str, Any]:
    """The numbers as they are written to JSON."""
    configs = {entry.name: entry.config.name for entry in suite.entries}
    runs = {}
    for name, values in scores.items():
        summary = _summary(values)
        runs[name] = dict(
            config=configs[name],
            scores=values,
            summary=_numbers(summary),
            difference=_numbers(_difference(name, scores, suite)),
        )
    trainings = {}
    for cell in cells:
        result = cell.result()
        if result is not None:
            trainings[cell.name] = dict(vars(result))
    return dict(
        suite=suite.file.name,
        metric=suite.metric,
        reference=suite.reference,
        runs=runs,
        trainings=trainings,
        failed=dict(failed),
    )


def _cells(summary: Summary | None, form: str) -> list[str]:
    """Mean and half interval, empty where there is none."""
    if summary is None:
        return ['', '']
    half = '' if summary.half is None else f'± {summary.half:.2f}'
    return [format(summary.mean, form), half]


def _difference(name: str, scores: Scores, suite: Suite) -> Summary | None:
    if name == suite.reference:
        return None
    return paired_difference(scores[name], scores[suite.reference])


def _summary(values: Mapping[int, float]) -> Summary | None:
    return summarise(list(values.values())) if values else None


def _numbers(summary: Summary | None) -> dict[str, Any] | None:
    return None if summary is None else dict(summary._asdict(), interval=summary.interval)
