"""Compute a teacher on a CUDA stream of its own, while the student computes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves


class CudaStream:
    """Run work concurrently with the current stream; without CUDA, run it as usual.

    The memory of a tensor returns to the stream that allocated it as soon as it is released:
    using it on another stream requires telling the allocator (``record_stream``).

    Args:
        enable: Whether to have a stream; if not, all work runs on the current one.
    """

    def __init__(self, enable: bool) -> None:
        self._enable = enable
        self._stream: Any = None

    @contextmanager
    def run(self, images: Tensor) -> Iterator[None]:
        """Queue the work of this context on the stream, once the images are computed."""
        if not self._enable or not images.is_cuda:
            yield
            return
        if self._stream is None or self._stream.device != images.device:
            self._stream = torch.cuda.Stream(images.device)
        self._stream.wait_stream(torch.cuda.current_stream(images.device))
        images.record_stream(self._stream)
        with torch.cuda.stream(self._stream):
            yield

    def wait(self, outputs: Any) -> Any:
        """Make the current stream wait for the work; return its outputs unchanged."""
        if self._stream is None:
            return outputs
        current = torch.cuda.current_stream(self._stream.device)
        current.wait_stream(self._stream)
        for output in tree_leaves(outputs):
            if isinstance(output, Tensor) and output.is_cuda:
                output.record_stream(current)
        return outputs
