"""Bootstrap over images: how much a number would vary with other images of the same kind."""

from collections.abc import Callable

import torch
from torch import Tensor

CONFIDENCE = 0.95


def bootstrap_interval(
    per_image: Tensor, statistic: Callable[[Tensor], Tensor], num_resamples: int, seed: int
) -> tuple[list[float], list[float]]:
    """Return the percentile interval of statistics over resampled images.

    Images are drawn with replacement, as many as there are. Paired values belong in the same
    row, so that they are drawn together.

    (``scipy.stats.bootstrap`` draws from another generator: published intervals would change.)

    Args:
        per_image: Values of each image, float64, (images, ...).
        statistic: Maps the sum over the drawn images, (...), to S numbers, (S,).
        num_resamples: Number of resamples.
        seed: Seed of the draws.

    Returns:
        Lower and upper ends of the 95 % intervals, S numbers each.
    """
    count, rows = len(per_image), per_image.flatten(1)
    generator = torch.Generator().manual_seed(seed)
    resampled = []
    for _ in range(num_resamples):
        drawn = torch.randint(count, (count,), generator=generator)
        times = torch.bincount(drawn, minlength=count).double()
        resampled.append(statistic((times @ rows).view(per_image.shape[1:])))
    tail = (1 - CONFIDENCE) / 2
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    low, high = torch.quantile(torch.stack(resampled), ends, dim=0).tolist()
    return low, high
