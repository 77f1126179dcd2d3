"""Patch torchvision, and a switch of torch that would make weights code."""

import importlib
import os
import sys
import warnings

UNSAFE_LOAD = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


def patch_torchvision() -> bool:
    """Let torchvision import on a torch whose build cannot load its compiled ops.

    For torchvision 0.26-0.28 (CUDA wheel) with a CPU build of torch. Upstream: the error
    "operator torchvision::nms does not exist", which torchvision raises when it registers
    the fake kernels of ops that its binary could not provide.
    """
    try:
        import torchvision  # noqa: F401

        return False
    except RuntimeError as error:
        if 'torchvision::' not in str(error):
            raise
    import torch

    nms = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'
    for op in ('nms', 'qnms'):
        if not hasattr(torch.ops.torchvision, op):
            torch.library.define(f'torchvision::{op}', nms)
    for name in [m for m in sys.modules if m.split('.')[0] == 'torchvision']:
        del sys.modules[name]
    importlib.import_module('torchvision')
    return True


def patch_unsafe_load_switch() -> bool:
    """Remove the environment variable that lets every ``torch.load`` execute a file.

    For torch >= 2.6. Our own calls resist it; those of other packages, such as the caches of
    MMPretrain's retrieval, name no ``weights_only`` and do not. A user's own call can still say
    ``weights_only=False``.
    """
    if os.environ.pop(UNSAFE_LOAD, None) is None:
        return False
    warnings.warn(f'mmvitkd ignores {UNSAFE_LOAD}: weights are data.', stacklevel=2)
    return True
