"""Keep features for the second pass, in memory or in a temporary file."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ...utils.disk_full import report_disk_full
from ..features.extractor import Key
from .memory import MEMORY, SPILL


class FeatureBatch(NamedTuple):
    """The features of some images.

    Attributes:
        features: Patch tokens (B, N, D) of each block.
        indices: (B,), int64: the positions of the images in their list.
    """

    features: dict[Key, Tensor]
    indices: Tensor


class FeatureCache(Protocol):
    """Keeps batches, and yields them in order any number of times."""

    def put(self, batch: FeatureBatch) -> None:
        """Keep a batch."""

    def __iter__(self) -> Iterator[FeatureBatch]:
        """Yield the batches, on the CPU."""


class MemoryCache:
    """Keeps features in memory, on the CPU."""

    def __init__(self) -> None:
        self._batches: list[FeatureBatch] = []

    def put(self, batch: FeatureBatch) -> None:
        """Keep a batch."""
        # Contiguous, or a view would keep the dropped tokens in memory.
        features = {key: tokens.cpu().contiguous() for key, tokens in batch.features.items()}
        self._batches.append(FeatureBatch(features, batch.indices))

    def __iter__(self) -> Iterator[FeatureBatch]:
        return iter(self._batches)


class DiskCache:
    """Keeps features in a file.

    Args:
        file: An empty file, open for reading and writing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        # For each batch its indices and, by key, shape and type, in the order of the bytes.
        self._batches: list[tuple[Tensor, dict[Key, tuple[torch.Size, torch.dtype]]]] = []

    def put(self, batch: FeatureBatch) -> None:
        """Keep a batch."""
        layout = {key: (tokens.shape, tokens.dtype) for key, tokens in batch.features.items()}
        for tokens in batch.features.values():
            self._file.write(tokens.cpu().contiguous().view(torch.uint8).numpy().data)
        self._batches.append((batch.indices, layout))

    def __iter__(self) -> Iterator[FeatureBatch]:
        self._file.seek(0)
        for indices, layout in self._batches:
            features = {}
            for key, (shape, dtype) in layout.items():
                count = shape.numel() * dtype.itemsize
                raw = torch.from_numpy(np.fromfile(self._file, np.uint8, count))
                features[key] = raw.view(dtype).view(shape)
            yield FeatureBatch(features, indices)


@contextmanager
def feature_cache(where: str, folder: str | None) -> Iterator[FeatureCache | None]:
    """Yield a cache, or None if features are not kept.

    Args:
        where: ``kept`` of a :class:`~mmvitkd.analysis.runner.memory.Plan`.
        folder: The folder of the file. The file has no name there, so that it disappears
            however the process ends.
    """
    if where == SPILL:
        with report_disk_full(folder), tempfile.TemporaryFile(dir=folder) as file:
            yield DiskCache(file)
    else:
        yield MemoryCache() if where == MEMORY else None
