"""A fixed sample of a data set: the same images whenever it is read."""

import torch
from torch.utils.data import DataLoader, Subset


def subset_loader(
    loader: DataLoader, num_images: int, batch_size: int, seed: int
) -> DataLoader:
    """A loader of some images of another loader's data set, collated as there.

    It reads in this process, in the order of the data set, and draws nothing from the
    random streams, which the data set's pipeline may well do.

    Args:
        loader: The other loader.
        num_images: How many images; all, if there are no more.
        batch_size: Of the new loader.
        seed: Decides which images.
    """
    drawn = torch.randperm(
        len(loader.dataset),  # type: ignore[arg-type]
        generator=torch.Generator().manual_seed(seed),
    )
    return DataLoader(
        Subset(loader.dataset, drawn[:num_images].sort().values.tolist()),
        batch_size=batch_size,
        collate_fn=loader.collate_fn,
        generator=torch.Generator(),  # else it would draw from torch's own
    )
