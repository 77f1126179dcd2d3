"""MMPretrain's Swin, so that the ONNX exporter understands how it merges its windows."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmpretrain.models.utils import ShiftWindowMSA
from torch import Tensor


@contextmanager
def exportable_windows() -> Iterator[None]:
    """Within it, Swin's windows are merged by shapes alone; the numbers stay the same.

    MMPretrain divides floats to find the batch size. With a dynamic one the exporter of
    torch 2.13 makes of that a graph whose logits are wrong by some 1e-3.
    """
    original = ShiftWindowMSA.__dict__['window_reverse']
    ShiftWindowMSA.window_reverse = staticmethod(_window_reverse)
    try:
        yield
    finally:
        ShiftWindowMSA.window_reverse = original


def _window_reverse(windows: Tensor, height: int, width: int, window_size: int) -> Tensor:
    """Windows (B x number, S, S, C) to (B, H, W, C)."""
    size, channels = window_size, windows.shape[-1]
    grid = windows.view(-1, height // size, width // size, size, size, channels)
    return grid.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, channels)
