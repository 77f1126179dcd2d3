"""Split a batch into chunks whose intermediate results stay small."""

from collections.abc import Iterator

from torch import Tensor

# Values per chunk. On a CPU, computing within the cache is two to four times as fast; a GPU
# needs work for all its cores.
CPU_VALUES = 2**17
GPU_VALUES = 2**24


def chunk_images(features: Tensor) -> Iterator[Tensor]:
    """Split a batch between images.

    Args:
        features: Patch tokens, (B, N, D).

    Yields:
        (b, N, D), one image or more at a time, in order; detached, so that results do not
        hold the graph of the batch.
    """
    if not len(features):
        return
    values = CPU_VALUES if features.device.type == 'cpu' else GPU_VALUES
    yield from features.detach().split(max(1, values // max(1, features[0].numel())))
