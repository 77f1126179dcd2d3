"""Augment every sample from a seed of its own."""

from typing import Any

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from torch.utils.data import get_worker_info

from ..registry import DATASETS
from ..utils import random_state


@DATASETS.register_module()
class SeededSamples:
    """A data set whose samples are drawn from (seed, view, index, repeat).

    The same sample has the same pixels, whatever the number of workers and ranks, the batch
    size, and where the run was resumed. Its sampler is a
    :class:`~mmvitkd.datasets.samplers.view_sampler.ViewSampler`. The states of Python's,
    numpy's and torch's default generators are the same before and after a sample.

    Args:
        dataset: The data set, or its config. Its other attributes can be read and set here.
        seed: The seed of the run.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        is_config = isinstance(dataset, dict)
        self.dataset = MMENGINE_DATASETS.build(dataset) if is_config else dataset
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        """Return a sample; an index without a view is that of the first epoch."""
        view, repeat = getattr(index, 'view', 0), getattr(index, 'repeat', 0)
        keys = (self.seed, view, int(index), repeat)
        if get_worker_info() is not None:  # nothing else draws random numbers in a worker
            random_state.seed_cpu(*keys)
            return self.dataset[int(index)]
        with random_state.seeded(*keys):
            return self.dataset[int(index)]

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'dataset':  # while it is unpickled or copied
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute of the data set, such as the pipeline that a hook switches."""
        owner = self if name in ('dataset', 'seed') else self.dataset
        object.__setattr__(owner, name, value)


def seed_samples(
    dataloader: dict[str, Any], seed: int, views: int | None = None, enable: bool = True
) -> dict[str, Any]:
    """Return a loader's config whose samples have views, and seeds of their own.

    Args:
        dataloader: The config of a training's data loader.
        seed: The seed of the run.
        views: How many different views an image has; None for one per epoch.
        enable: If False, the samples are drawn from their worker's random stream.
    """
    sampler = dict(type='mmvitkd.ViewSampler', sampler=dataloader['sampler'], views=views)
    seeded = {**dataloader, 'sampler': sampler}
    if enable:
        dataset = dict(type='mmvitkd.SeededSamples', dataset=dataloader['dataset'], seed=seed)
        seeded['dataset'] = dataset
    return seeded
