"""Bootstrap over images: how much a mean would vary with other images of the same kind."""

import numpy as np
import torch
from torch import Tensor

CONFIDENCE = 0.95


def bootstrap_interval(
    per_image: Tensor, num_resamples: int, seed: int
) -> tuple[list[float], list[float]]:
    """Return the percentile interval of means over resampled images.

    Images are drawn with replacement, as many as there are, with NumPy's ``default_rng``, as
    in the released code of arXiv 2511.15572. (``scipy.stats.bootstrap`` draws otherwise.)

    Args:
        per_image: S values of each image, float64, (images, S).
        num_resamples: Number of resamples.
        seed: Seed of the draws.

    Returns:
        Lower and upper ends of the 95 % intervals, S numbers each.
    """
    count = len(per_image)
    generator = np.random.default_rng(seed)
    means = []
    for _ in range(num_resamples):
        drawn = torch.from_numpy(generator.integers(0, count, size=count))
        means.append(per_image[drawn].mean(0))
    tail = (1 - CONFIDENCE) / 2
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    low, high = torch.quantile(torch.stack(means), ends, dim=0).tolist()
    return low, high
