"""Read the metrics of a training from the log history in its last checkpoint."""

from math import isfinite

from mmengine.config import Config

from ..checkpoint.read import read_checkpoint
from ..export.score import AVERAGE, recorded_score


def read_metrics(file: str, config: Config, wanted: str | None) -> tuple[dict[str, float], str]:
    """Return the last validation metrics of a training, of the weights and their average.

    Args:
        file: A checkpoint of mmvitkd's ``CheckpointHook``.
        config: The config of the training.
        wanted: A metric that must be present; None to require none.

    Returns:
        The metrics by name, those of the average with ``_ema``, and the validation they are
        from.

    Raises:
        ValueError: If the wanted metric is missing or not finite.
    """
    checkpoint = read_checkpoint(file)
    plain = recorded_score(checkpoint, config)
    average = recorded_score(checkpoint, config, ema=True)
    metrics = dict(plain.metrics) if plain else {}
    metrics |= {f'{k}{AVERAGE}': v for k, v in (average.metrics if average else {}).items()}
    if wanted is not None and not isfinite(metrics.get(wanted, float('nan'))):
        raise ValueError(
            f'{file}: metric {wanted!r}: found {metrics.get(wanted)}, wanted a number; the '
            f'validation has {", ".join(metrics) or "no metrics"}.'
        )
    found = plain or average
    return metrics, found.source if found else 'not validated'
