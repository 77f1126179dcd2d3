"""Patches of MMPretrain that the ONNX exporter needs."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmpretrain.models.utils import ShiftWindowMSA
from torch import Tensor


@contextmanager
def patch_swin_windows() -> Iterator[None]:
    """Merge Swin's windows by their shapes alone within the context, with equal results.

    MMPretrain divides floats to find the batch size. For a dynamic one, the exporter of
    torch 2.13 turns that into a graph whose logits are wrong by about 1e-3.
    """
    original = ShiftWindowMSA.__dict__['window_reverse']
    ShiftWindowMSA.window_reverse = staticmethod(_window_reverse)
    try:
        yield
    finally:
        ShiftWindowMSA.window_reverse = original


def _window_reverse(windows: Tensor, height: int, width: int, window_size: int) -> Tensor:
    """Merge windows (B x number, S, S, C) to (B, H, W, C)."""
    size, channels = window_size, windows.shape[-1]
    grid = windows.view(-1, height // size, width // size, size, size, channels)
    return grid.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, channels)
