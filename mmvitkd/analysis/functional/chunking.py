"""Few images at a time, so that what is computed of them stays small."""

from collections.abc import Iterator

from torch import Tensor

# Values at a time. On a CPU what does not leave its cache is computed two to four times as
# fast; a GPU wants work for all its cores.
CPU_VALUES = 2**17
GPU_VALUES = 2**24


def chunk_images(features: Tensor) -> Iterator[Tensor]:
    """Split a batch between images.

    Args:
        features: Patch tokens, (B, N, D).

    Yields:
        (b, N, D), one image or more at a time, in their order; without gradients, or what is
        kept of a batch would keep its graph.
    """
    if not len(features):
        return
    values = CPU_VALUES if features.device.type == 'cpu' else GPU_VALUES
    yield from features.detach().split(max(1, values // max(1, features[0].numel())))
