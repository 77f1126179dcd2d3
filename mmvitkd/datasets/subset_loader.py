"""Load a fixed random subset of a data set."""

from typing import Any

import torch
from torch.utils.data import DataLoader, Subset


def subset_loader(
    loader: DataLoader[Any], num_images: int, batch_size: int, seed: int
) -> DataLoader[Any]:
    """Return a loader of some images of another loader's data set, collated the same way.

    It reads in this process, in the order of the data set. The loader draws nothing from the
    global random generators; the pipeline of the data set may.

    Args:
        loader: The other loader.
        num_images: The number of images; all if there are fewer.
        batch_size: The batch size of the new loader.
        seed: Decides which images are in the subset.
    """
    drawn = torch.randperm(
        len(loader.dataset),
        generator=torch.Generator().manual_seed(seed),
    )
    return DataLoader(
        Subset(loader.dataset, drawn[:num_images].sort().values.tolist()),
        batch_size=batch_size,
        collate_fn=loader.collate_fn,
        generator=torch.Generator(),  # instead of the global one
    )
