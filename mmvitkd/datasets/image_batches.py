"""Batches of the images of a list, read as they are asked for."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from .image_list import ImageList
from .transforms.load_image import UnreadableImageError


class ImageBatch(NamedTuple):
    """Images of a list.

    Attributes:
        images: (B, 3, H, W), as ``preprocess`` makes them.
        labels: (B,), int64; None where the list has none.
        indices: (B,), int64: their places in the list.
    """

    images: Tensor
    labels: Tensor | None
    indices: Tensor


class ImageBatches:
    """The images of a list in its order; those that cannot be read are left out.

    Random states stay as they are. Each iteration reads anew.

    Args:
        images: The list.
        preprocess: Makes a file (3, H, W), the same for all, or raises
            :class:`~mmvitkd.datasets.transforms.load_image.UnreadableImageError`.
        batch_size: How many images a batch is made from; those left out are missing in it.
        num_workers: Processes that read; 0 reads in this one.

    Attributes:
        unreadable: The reason for each image that could not be read, by its path below the
            list's folder.

    Raises:
        ValueError: While iterating, if images get different sizes.
    """

    def __init__(
        self,
        images: ImageList,
        preprocess: Callable[[str], Tensor],
        batch_size: int = 32,
        num_workers: int = 0,
    ) -> None:
        self.unreadable: dict[str, str] = {}
        self._images = images
        self._loader: DataLoader = DataLoader(
            _Files(images, preprocess),  # type: ignore[arg-type]
            batch_size=batch_size,
            num_workers=num_workers,
            collate_fn=_collate,
            generator=torch.Generator(),  # else it would draw from torch's own
        )

    def __len__(self) -> int:
        """The number of batches, of which some may be missing."""
        return len(self._loader)

    def __iter__(self) -> Iterator[ImageBatch]:
        labels = self._images.labels
        for images, indices, failures in self._loader:
            for index, reason in failures.items():
                self.unreadable[self._images.paths[index]] = reason
            if images is not None:
                known = None if labels is None else torch.tensor([labels[i] for i in indices])
                yield ImageBatch(images, known, torch.tensor(indices))


class _Files:
    """A data set of (index, image), or of (index, why there is none)."""

    def __init__(self, images: ImageList, preprocess: Callable[[str], Tensor]) -> None:
        self.images = images
        self.preprocess = preprocess

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[int, Tensor | str]:
        try:
            return index, self.preprocess(self.images.file(index))
        except UnreadableImageError as error:
            return index, error.reason


def _collate(
    samples: list[tuple[int, Tensor | str]],
) -> tuple[Tensor | None, list[int], dict[int, str]]:
    """The images in one tensor, their indices, and the reasons for the others."""
    images = {index: found for index, found in samples if isinstance(found, Tensor)}
    failures = {index: found for index, found in samples if isinstance(found, str)}
    sizes = {tuple(image.shape) for image in images.values()}
    if len(sizes) > 1:
        raise ValueError(
            f'images of different sizes: {", ".join(map(str, sorted(sizes)))}; the '
            'evaluation transform must end in one size.'
        )
    stacked = torch.stack(list(images.values())) if images else None
    return stacked, list(images), failures
