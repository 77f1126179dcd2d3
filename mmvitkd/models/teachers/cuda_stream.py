"""A CUDA stream on which a teacher computes while the student does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves


class CudaStream:
    """Lets work run beside that of the current stream; does nothing without CUDA.

    A tensor's memory goes back to the stream on which it was made, as soon as nobody holds
    it: whoever uses it on another one must tell the allocator.

    Args:
        enable: Whether to have a stream; if not, all runs on the current one.
    """

    def __init__(self, enable: bool) -> None:
        self._enable = enable
        self._stream: Any = None

    @contextmanager
    def beside(self, images: Tensor) -> Iterator[None]:
        """A context whose work is queued on the own stream, once the images are there."""
        if not self._enable or not images.is_cuda:
            yield
            return
        if self._stream is None or self._stream.device != images.device:
            self._stream = torch.cuda.Stream(images.device)
        self._stream.wait_stream(torch.cuda.current_stream(images.device))
        images.record_stream(self._stream)
        with torch.cuda.stream(self._stream):
            yield

    def join(self, outputs: Any) -> Any:
        """Let the current stream wait for the work; hand its outputs over, as they are."""
        if self._stream is None:
            return outputs
        current = torch.cuda.current_stream(self._stream.device)
        current.wait_stream(self._stream)
        for output in tree_leaves(outputs):
            if isinstance(output, Tensor) and output.is_cuda:
                output.record_stream(current)
        return outputs
