"""Load given views of the training images, as the training's loader makes them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch.utils.data import DataLoader

from ...datasets.samplers.view_sampler import ViewIndex


def load_views(
    loader: DataLoader[Any], batches: Iterable[Sequence[ViewIndex]]
) -> Iterator[Any]:
    """Yield batches of views, with the data set, workers and collation of a loader."""
    return iter(
        DataLoader(
            loader.dataset,
            batch_sampler=batches,
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn,
            pin_memory=loader.pin_memory,
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context,
        )
    )
