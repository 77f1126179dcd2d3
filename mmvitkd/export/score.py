"""Read a student's score: from the log in its checkpoint, or from a file of metrics."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from mmengine.config import Config

VALIDATION = 'val/'
AVERAGE = '_ema'


class Score(NamedTuple):
    """Metrics by name, such as ``accuracy/top1`` in percent, and where they come from."""

    metrics: dict[str, float]
    source: str


def given_score(file: Path) -> Score:
    """Read the metrics that ``tools/test.py --out FILE`` wrote as JSON.

    Of a list, such as the precision of each class, the mean is taken; a table, such as a
    confusion matrix, is left out.

    Raises:
        ValueError: If the file does not hold numbers by name.
    """
    try:
        content = json.loads(file.read_text())
        means = {name: _mean(name, value) for name, value in content.items()}
        metrics = dict(mean for mean in means.values() if mean is not None)
        if not metrics:
            raise ValueError(f'found {", ".join(content) or "nothing"}')
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f'--score: {str(file)!r}: wanted a JSON object of numbers ({error})'
        ) from None
    return Score(metrics, 'a separate test')


def _mean(name: str, value: Any) -> tuple[str, float] | None:
    """Return the name and value of a metric as one number; None for a table."""
    if not isinstance(value, list):
        return name, float(value)
    if not value or any(isinstance(row, list) for row in value):
        return None
    return f'{name} (mean of {len(value)})', fmean(map(float, value))


def recorded_score(
    checkpoint: Mapping[str, Any], cfg: Config, ema: bool = False
) -> Score | None:
    """Return the metrics of the last validation in a checkpoint's log.

    Args:
        checkpoint: The content of a checkpoint that mmvitkd's ``CheckpointHook`` wrote.
        cfg: The config of its training, for how often it was validated.
        ema: Whether to return the metrics of the moving average, which end in ``_ema``.

    Returns:
        None if there are none: the run was not validated, another hook wrote the
        checkpoint, or only published keys are left.
    """
    scalars = (checkpoint.get('message_hub') or {}).get('log_scalars') or {}
    metrics = {}
    for name, history in scalars.items():
        metric = name.removeprefix(VALIDATION)
        # Metrics have a prefix of their own; val/time and val/data_time have none.
        if name.startswith(VALIDATION) and '/' in metric and metric.endswith(AVERAGE) == ema:
            # MMEngine's own hook pickles an object instead, which is not read.
            values = history['log_history'] if isinstance(history, Mapping) else []
            if len(values):
                metrics[metric.removesuffix(AVERAGE)] = float(values[-1])
    if not metrics:
        return None
    return Score(metrics, _source(checkpoint.get('meta') or {}, cfg.get('train_cfg') or {}))


def _source(meta: Mapping[str, Any], train_cfg: Mapping[str, Any]) -> str:
    """Describe which validation it was: an epoch's own, or the last one before it."""
    by_epoch = train_cfg.get('by_epoch', True)
    unit, last = ('epoch', 'max_epochs') if by_epoch else ('iteration', 'max_iters')
    step = meta.get('epoch' if by_epoch else 'iter')
    if step is None:
        return 'the last validation of its training'
    validated = step % train_cfg.get('val_interval', 1) == 0 or step == train_cfg.get(last)
    return f'the validation {"of" if validated else "before"} {unit} {step}'
