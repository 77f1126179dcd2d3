"""Summarize numbers over seeds: mean, spread, 95 % interval, paired difference."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


class Summary(NamedTuple):
    """Statistics of a few runs, in the unit of what was measured.

    Attributes:
        runs: The number of runs.
        mean: Their mean.
        deviation: The sample standard deviation (of runs - 1); None for a single run.
        half: Half of the 95 % interval of the mean, by Student's t; None for a single run.
    """

    runs: int
    mean: float
    deviation: float | None
    half: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the interval; None for a single run."""
        return None if self.half is None else (self.mean - self.half, self.mean + self.half)


def summarize(values: Sequence[float]) -> Summary:
    """Return mean, standard deviation and interval of independent runs.

    Args:
        values: One number per run.

    Raises:
        ValueError: If there are none, or one is not finite.
    """
    numbers = np.asarray(values, dtype=float)
    if not numbers.size or not np.isfinite(numbers).all():
        raise ValueError(f'values: found {list(values)}, wanted one finite number or more.')
    mean = float(numbers.mean())
    if numbers.size == 1:
        return Summary(1, mean, None, None)
    # Not scipy.stats.ttest_1samp, whose interval is NaN for equal numbers.
    half = stats.t.ppf((1 + CONFIDENCE) / 2, df=numbers.size - 1) * stats.sem(numbers)
    return Summary(numbers.size, mean, float(numbers.std(ddof=1)), float(half))


def paired_difference(
    values: Mapping[int, float], reference: Mapping[int, float]
) -> Summary | None:
    """Return the mean difference to a reference over the seeds that both have.

    Args:
        values: Numbers by seed.
        reference: The reference's numbers by seed.

    Returns:
        None without a common seed.
    """
    shared = sorted(values.keys() & reference.keys())
    return summarize([values[s] - reference[s] for s in shared]) if shared else None
