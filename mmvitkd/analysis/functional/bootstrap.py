"""Bootstrap over images: how much a number would vary with other images of the same kind."""

from collections.abc import Callable

import torch
from torch import Tensor

CONFIDENCE = 0.95


def bootstrap_interval(
    per_image: Tensor, statistic: Callable[[Tensor], Tensor], num_resamples: int, seed: int
) -> tuple[list[float], list[float]]:
    """Return the percentile interval of statistics over resampled images.

    Images are drawn with replacement, the same number each time. Put what is compared in
    pairs into the same row, so that it is drawn together.

    (``scipy.stats.bootstrap`` draws from another generator: published intervals would change.)

    Args:
        per_image: Numbers of each image, float64, (images, ...).
        statistic: From the sum over the images drawn, (...), to S numbers, (S,).
        num_resamples: How many times all images are drawn.
        seed: Of the draws.

    Returns:
        Lower and upper end of each statistic's 95 % interval, S numbers each.
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
