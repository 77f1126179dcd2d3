"""Read the images of a list in batches."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from .image_list import ImageList
from .transforms.load_image import UnreadableImageError


class ImageBatch(NamedTuple):
    """A batch of images.

    Attributes:
        images: (B, 3, H, W), as ``preprocess`` returns them.
        labels: (B,), int64; None if the list has none.
        indices: (B,), int64: positions in the list.
    """

    images: Tensor
    labels: Tensor | None
    indices: Tensor


class ImageBatches:
    """Iterate over the images of a list in its order; skip unreadable ones.

    Global random states do not change. Each iteration reads the files again.

    Args:
        images: The list.
        preprocess: Turns a file into (3, H, W), the same size for all, or raises
            :class:`~mmvitkd.datasets.transforms.load_image.UnreadableImageError`.
        batch_size: Images read for a batch; a batch with unreadable ones is smaller.
        num_workers: Number of reading processes; 0 reads in this one.

    Attributes:
        unreadable: The reason for each unreadable image, by its path below the folder.

    Raises:
        ValueError: While iterating, if images of a batch differ in size.
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
        self._loader: DataLoader[Any] = DataLoader(
            _Files(images, preprocess),
            batch_size=batch_size,
            num_workers=num_workers,
            collate_fn=_collate,
            generator=torch.Generator(),  # instead of the global one
        )

    def __len__(self) -> int:
        """Return the number of batches; one without readable images is skipped."""
        return len(self._loader)

    def __iter__(self) -> Iterator[ImageBatch]:
        labels = self._images.labels
        for images, indices, failures in self._loader:
            for index, reason in failures.items():
                self.unreadable[self._images.paths[index]] = reason
            if images is not None:
                batch_labels = None
                if labels is not None:
                    batch_labels = torch.tensor([labels[i] for i in indices])
                yield ImageBatch(images, batch_labels, torch.tensor(indices))


class _Files:
    """A data set of (index, image), or (index, reason) for an unreadable image."""

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
    """Stack the images; return them, their indices, and the reasons for the others."""
    images = {index: result for index, result in samples if isinstance(result, Tensor)}
    failures = {index: result for index, result in samples if isinstance(result, str)}
    sizes = {tuple(image.shape) for image in images.values()}
    if len(sizes) > 1:
        raise ValueError(
            f'images of different sizes: {", ".join(map(str, sorted(sizes)))}; the '
            'evaluation transform must end in one size.'
        )
    stacked = torch.stack(list(images.values())) if images else None
    return stacked, list(images), failures
