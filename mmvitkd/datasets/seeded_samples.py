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

    A data sample says which view it is: its metainfo ``sample_view`` is the tuple
    (index, view, repeat).

    Args:
        dataset: The data set, or its config. Its other attributes can be read and set here.
        seed: The seed of the views.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        is_config = isinstance(dataset, dict)
        self.dataset = MMENGINE_DATASETS.build(dataset) if is_config else dataset
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        """Return a sample; an index without a view is that of the first epoch."""
        number = int(index)
        view, repeat = getattr(index, 'view', 0), getattr(index, 'repeat', 0)
        keys = (self.seed, view, number, repeat)
        if get_worker_info() is not None:  # nothing else draws random numbers in a worker
            random_state.seed_cpu(*keys)
            return _named(self.dataset[number], (number, view, repeat))
        with random_state.seeded(*keys):
            return _named(self.dataset[number], (number, view, repeat))

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'dataset':  # while it is unpickled or copied
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute of the data set, such as the pipeline that a hook switches."""
        owner = self if name in ('dataset', 'seed') else self.dataset
        object.__setattr__(owner, name, value)


def _named(item: Any, sample_view: tuple[int, int, int]) -> Any:
    """Record in the data samples of an item, if it has any, which view it is."""
    samples: Any = item.get('data_samples') if isinstance(item, dict) else None
    for sample in samples if isinstance(samples, list) else [samples]:  # a list: TTA
        if hasattr(sample, 'set_field'):
            sample.set_field(sample_view, 'sample_view', field_type='metainfo')
    return item


def seed_samples(
    dataloader: dict[str, Any],
    run_seed: int,
    seed: int | None = None,
    views: int | None = None,
    enable: bool = True,
) -> dict[str, Any]:
    """Return a loader's config whose samples have views, and seeds of their own.

    The arguments are the config's ``sample_seed``, ``sample_views`` and ``sample_seeds``.

    Args:
        dataloader: The config of a training's data loader.
        run_seed: The seed of the run.
        seed: The seed of the views; None for that of the run.
        views: How many different views an image has; None for one per epoch.
        enable: If False, the samples are drawn from their worker's random stream.

    Raises:
        ValueError: If one of the settings is wrong; names its key.
    """
    if not isinstance(enable, bool):
        raise ValueError(
            f'sample_seeds={enable!r}: wanted True or False. The seed itself is sample_seed.'
        )
    if seed is not None and (type(seed) is not int or seed < 0):
        raise ValueError(
            f'sample_seed={seed!r}: wanted an integer of 0 or more, or None for the seed of '
            'the run.'
        )
    if seed is not None and not enable:
        raise ValueError(
            f'sample_seed={seed} has no effect with sample_seeds=False: remove one of them.'
        )
    sampler = dict(type='mmvitkd.ViewSampler', sampler=dataloader['sampler'], views=views)
    seeded = {**dataloader, 'sampler': sampler}
    if enable:
        seeded['dataset'] = dict(
            type='mmvitkd.SeededSamples',
            dataset=dataloader['dataset'],
            seed=run_seed if seed is None else seed,
        )
    return seeded
