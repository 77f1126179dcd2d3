"""Numbers over seeds: mean, spread, 95 % interval, and the paired difference to a reference."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


class Summary(NamedTuple):
    """What a few runs came to; in the unit of what was measured.

    Attributes:
        runs: How many there are.
        mean: Their mean.
        deviation: Sample standard deviation (of runs - 1); None of a single run.
        half: Half of the 95 % interval of the mean, by Student's t; None of a single run.
    """

    runs: int
    mean: float
    deviation: float | None
    half: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the interval; None of a single run."""
        return None if self.half is None else (self.mean - self.half, self.mean + self.half)


def summarise(values: Sequence[float]) -> Summary:
    """Mean, standard deviation and interval of independent runs.

    Args:
        values: One number a run.

    Raises:
        ValueError: If there are none, or one is not finite.
    """
    numbers = np.asarray(values, dtype=float)
    if not numbers.size or not np.isfinite(numbers).all():
        raise ValueError(f'values: found {list(values)}, wanted one finite number or more.')
    if numbers.size == 1:
        return Summary(1, float(numbers[0]), None, None)
    deviation = numbers.std(ddof=1)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, df=numbers.size - 1)
    half = quantile * deviation / np.sqrt(numbers.size)
    return Summary(numbers.size, float(numbers.mean()), float(deviation), float(half))


def paired_difference(
    values: Mapping[int, float], reference: Mapping[int, float]
) -> Summary | None:
    """The mean difference to a reference, run by run of the same seed.

    Args:
        values: Numbers by seed.
        reference: The reference's numbers by seed.

    Returns:
        None if they have no seed in common.
    """
    shared = sorted(values.keys() & reference.keys())
    return summarise([values[s] - reference[s] for s in shared]) if shared else None
