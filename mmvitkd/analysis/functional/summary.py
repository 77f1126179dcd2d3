"""Summarise over images, and find the dimension at which a cumulative share is reached."""

import torch
from torch import Tensor

# Keeps rounding from raising a dimension by one where a share equals the threshold.
SLACK = 1e-9


def summary_of(values: Tensor) -> dict[str, float]:
    """Return mean, population standard deviation, median, quartiles and 99th percentile.

    The published tables give the 99th percentile over the images (arXiv 2511.15572).
    Quantiles between two values are interpolated linearly.

    Args:
        values: One number per image, (images,).

    Returns:
        'mean', 'std', 'median', 'q25', 'q75' and 'p99', in the unit of the values.

    Raises:
        ValueError: If there are no values, or they are not 1-D.
    """
    if values.dim() != 1 or not len(values):
        raise ValueError(f'values: found shape {tuple(values.shape)}, wanted (images,).')
    values = values.detach().to('cpu', torch.float64)
    points = torch.tensor([0.25, 0.5, 0.75, 0.99], dtype=torch.float64)
    q25, median, q75, p99 = torch.quantile(values, points).tolist()
    return {
        'mean': values.mean().item(),
        'std': values.std(correction=0).item(),
        'median': median,
        'q25': q25,
        'q75': q75,
        'p99': p99,
    }


def dimension(shares: Tensor, threshold: float) -> Tensor:
    """Return the smallest d >= 1 whose cumulative share is at least the threshold.

    Args:
        shares: Share of the first 1, 2, ... K parts, non-decreasing, (..., K).
        threshold: In (0, 1].

    Returns:
        int64, (...,); K if no share reaches the threshold.
    """
    below = (shares < threshold - SLACK).sum(-1)
    return (below + 1).clamp(max=shares.shape[-1])
