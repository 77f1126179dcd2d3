"""Read recorded runs, and format the cells of their tables."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmvitkd.config.student_config import student_config
from mmvitkd.experiments.statistics import Summary, paired_difference, summarize
from mmvitkd.models.utils.cost import num_parameters

import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

DOCS = Path(__file__).resolve().parents[1]


def read(name: str) -> Any:
    """Return the content of a JSON file in docs/."""
    return json.loads((DOCS / name).read_text())


def scores_of(results: Mapping[str, Any], name: str) -> dict[int, float]:
    """Return the scores of a run by seed."""
    return {int(seed): score for seed, score in results['runs'][name]['scores'].items()}


def score_cells(results: Mapping[str, Any], name: str) -> list[str]:
    """Return every score of a run, their mean, and the difference to the reference."""
    values = scores_of(results, name)
    return [
        ' '.join(f'{score:.1f}' for score in values.values()),
        interval_text(summarize(list(values.values())), '.2f'),
        difference_cell(results, name, results['reference']),
    ]


def difference_cell(results: Mapping[str, Any], name: str, reference: str) -> str:
    """Return the difference to another run, seed by seed; nothing if there is none."""
    difference = paired_difference(scores_of(results, name), scores_of(results, reference))
    if difference is None or name == reference:
        return ''
    return interval_text(difference, '+.2f')


def mean_text(scores: list[dict[str, float]], key: str, digits: int) -> str:
    """Format a mean over seeds with the standard deviation, unless its digits are 0.

    Returns:
        Nothing if it was not measured.
    """
    values = [each[key] for each in scores if key in each]
    if not values:
        return ''
    found = summarize(values)
    deviation = f'{found.deviation or 0:.{digits}f}'
    return f'{found.mean:.{digits}f}' + (f' ± {deviation}' if float(deviation) else '')


def interval_text(summary: Summary, form: str, digits: int = 2) -> str:
    """Format a mean, and half its interval with a number of digits."""
    half = '' if summary.half is None else f' ± {summary.half:.{digits}f}'
    return f'{summary.mean:{form}}{half}'


def student_parameters(config: Config) -> int:
    """Count the parameters of a config's student."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return num_parameters(MODELS.build(student_config(config.to_dict()['model'])))


def quartile(seconds: list[float]) -> float:
    """Return the first quartile: what a shared machine disturbs least."""
    return float(np.percentile(seconds, 25))
