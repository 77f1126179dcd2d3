"""Number the views of every image: which augmentation of it a sampler asks for."""

from collections.abc import Iterator, Sized
from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS as MMENGINE_SAMPLERS
from mmpretrain.datasets import RepeatAugSampler
from torch.utils.data import Sampler

from ...registry import DATA_SAMPLERS


class ViewIndex(int):
    """The index of a sample, with the number of its view.

    Attributes:
        view: The epoch, or the epoch modulo the number of views.
        repeat: Which of the repeated samples of one epoch it is.
    """

    view: int
    repeat: int

    def __new__(cls, index: int, view: int, repeat: int = 0) -> 'ViewIndex':
        """Create an index, as int does."""
        self = super().__new__(cls, index)
        self.view, self.repeat = view, repeat
        return self

    def __getnewargs__(self) -> tuple[int, int, int]:  # type: ignore[override]
        """Return what pickling needs: a loader sends indices to its workers."""
        return int(self), self.view, self.repeat


@DATA_SAMPLERS.register_module()
class ViewSampler(Sampler[int]):  # type: ignore[misc]  # torch is not followed
    """Yield the indices of another sampler as :class:`ViewIndex`.

    The views of an image do not depend on the number of ranks or workers: the copies of
    repeated augmentation are numbered by their position in the stream of all ranks, of which
    rank r of W has the positions r, r + W, and so on. (A sampler that draws an index several
    times by chance gets the same view of it.)

    Args:
        sampler: The sampler, or its config.
        dataset: The data set.
        seed: The sampler's seed, if its config has none.
        views: How many different views an image has; None for one per epoch.

    Attributes:
        sampler: The other sampler.
        num_images: The length of the data set.
        views: The number of views, or None.

    Raises:
        ValueError: If ``views`` is no integer of 1 or more.
    """

    def __init__(
        self,
        sampler: Any,
        dataset: Sized,
        seed: int | None = None,
        views: int | None = None,
    ) -> None:
        if views is not None and (type(views) is not int or views < 1):
            raise ValueError(
                f'sample_views={views!r}: wanted an integer of 1 or more, or None for one view '
                'per epoch.'
            )
        if isinstance(sampler, dict):
            arguments = dict(dataset=dataset, seed=seed)
            sampler = MMENGINE_SAMPLERS.build(sampler, default_args=arguments)
        self.sampler = sampler
        self.num_images = len(dataset)
        self.views = views
        self.epoch = 0
        self._rank, self._world_size = get_dist_info()

    def __iter__(self) -> Iterator[int]:
        for number, index in enumerate(self.sampler):
            yield self._numbered(index, self._rank + number * self._world_size)

    def _numbered(self, index: int, position: int) -> ViewIndex:
        """Return the index at a position of the stream of all ranks."""
        view, repeat = self.epoch, 0
        if isinstance(self.sampler, InfiniteSampler):
            view = position // self.sampler.size
        elif isinstance(self.sampler, RepeatAugSampler):
            repeat = position % self.sampler.num_repeats
        return ViewIndex(index, view if self.views is None else view % self.views, repeat)

    def __len__(self) -> int:
        return len(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, here and in the other sampler."""
        self.epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)
