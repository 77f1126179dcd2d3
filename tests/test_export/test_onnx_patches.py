"""Swin's windows are merged as by MMPretrain."""

import mmvitkd  # noqa: F401
from mmvitkd.export.onnx_patches import patch_swin_windows

import torch
from mmpretrain.models.utils import ShiftWindowMSA


def test_equal_windows_and_the_patch_is_undone():
    image = torch.randn(3, 8, 12, 5)
    windows = ShiftWindowMSA.window_partition(image, 4)
    original = ShiftWindowMSA.window_reverse
    with patch_swin_windows():
        assert ShiftWindowMSA.window_reverse is not original
        assert torch.equal(ShiftWindowMSA.window_reverse(windows, 8, 12, 4), image)
    assert ShiftWindowMSA.window_reverse is original
