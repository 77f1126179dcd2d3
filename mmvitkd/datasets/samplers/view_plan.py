"""List the views that a whole training asks for, whatever its number of ranks."""

import math
from collections.abc import Collection, Iterator
from itertools import product

import numpy as np
import torch
from mmpretrain.datasets import RepeatAugSampler
from numpy.typing import NDArray

from .repeat_aug_sampler import MULTIPLE
from .view_sampler import ViewSampler

ANY_RANKS = range(1, 129)


def visited_views(
    sampler: ViewSampler, num_epochs: int | None, ranks: Collection[int] = ANY_RANKS
) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """List the views of all images that a training may ask for, without repetitions.

    Repeated augmentation visits a part of the images in each epoch, which depends on the
    sampler's seed and a little on the ranks, among which an epoch is divided. Other samplers
    may ask for every image.

    Args:
        sampler: The sampler of a training.
        num_epochs: Its epochs, or its passes over the data, rounded up; None lists all views
            of all images.
        ranks: The numbers of ranks that the training may have.

    Yields:
        The number of a view, that of a repeat, and the sorted indices of its images (K,).
    """
    if num_epochs is None:
        yield from _all_views(sampler)
        return
    period = sampler.views or num_epochs
    for view in range(min(period, num_epochs)):
        if isinstance(sampler.sampler, RepeatAugSampler):
            epochs = range(view, num_epochs, period)
            yield from _repeated(sampler.sampler, view, epochs, ranks)
        else:
            yield view, 0, np.arange(sampler.num_images)


def _all_views(sampler: ViewSampler) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    assert sampler.views is not None
    repeats = range(getattr(sampler.sampler, 'num_repeats', 1))
    for view, repeat in product(range(sampler.views), repeats):
        yield view, repeat, np.arange(sampler.num_images)


def _repeated(
    sampler: RepeatAugSampler, view: int, epochs: range, ranks: Collection[int]
) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """List what the epochs that share a view visit, copy by copy."""
    num_repeats, length = sampler.num_repeats, _epoch_length(sampler, ranks)
    seen = np.zeros((num_repeats, len(sampler.dataset)), bool)
    for epoch in epochs:
        order = _order(sampler, epoch)
        for repeat in range(num_repeats):
            # Its places in the stream of all ranks are repeat, repeat + num_repeats, ...
            seen[repeat, order[: math.ceil((length - repeat) / num_repeats)]] = True
    for repeat in range(num_repeats):
        yield view, repeat, np.flatnonzero(seen[repeat])


def _order(sampler: RepeatAugSampler, epoch: int) -> NDArray[np.int64]:
    """Return the images in the order in which an epoch repeats them, (N,)."""
    size = len(sampler.dataset)
    if not sampler.shuffle:
        return np.arange(size)
    generator = torch.Generator().manual_seed(sampler.seed + epoch)
    order: NDArray[np.int64] = torch.randperm(size, generator=generator).numpy()
    return order


def _epoch_length(sampler: RepeatAugSampler, ranks: Collection[int]) -> int:
    """Return the length of an epoch on all ranks: the longest of any number of ranks.

    What is longer than all repeated images starts again with the first ones.
    """
    size = len(sampler.dataset)
    if getattr(sampler, 'length', 'full') == 'deit':
        return size // MULTIPLE * MULTIPLE
    longest = max(math.ceil(size / number) * number for number in ranks)
    return min(longest, size * int(sampler.num_repeats))
