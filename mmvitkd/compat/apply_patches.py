"""Apply every patch, in an order in which each finds what it needs."""

import importlib
import warnings
from contextlib import redirect_stdout
from io import StringIO

from .import_speed import lazy_imports
from .mmcv_patches import patch_ffn
from .mmengine_patches import patch_config_prefix, patch_pkg_resources, silence_ddp_notice
from .mmrazor_patches import (
    mmrazor_accepts_mmcv,
    patch_mmrazor_quantization,
    same_recursion_limit,
)
from .supported import check_versions
from .timm_patches import patch_timm_hub, patch_timm_local_dir, patch_timm_unpickling
from .torch_patches import UNSAFE_LOAD, patch_torchvision, patch_unsafe_load_switch


def _import_mmpretrain() -> None:
    """Import MMPretrain's types, without what the fork prints of a package that is missing."""
    from mmengine.logging import MMLogger

    MMLogger.get_current_instance()  # keeps the screen for itself
    with redirect_stdout(StringIO()):
        for name in ('models', 'datasets', 'engine', 'evaluation', 'visualization'):
            importlib.import_module(f'mmpretrain.{name}')


def apply() -> tuple[str, ...]:
    """Check the versions, apply every patch, import the stack without its warnings.

    Returns:
        The names of the patches that were needed.
    """
    check_versions()
    done = []
    if patch_unsafe_load_switch():
        done.append(UNSAFE_LOAD)
    with warnings.catch_warnings(), same_recursion_limit():
        # The warnings are about other packages' code, and a user cannot fix them:
        # mmcv-lite's missing compiled ops, deprecated torch names, invalid escapes.
        warnings.simplefilter('ignore')
        if patch_torchvision():
            done.append('torchvision')
        _import_mmpretrain()
        if patch_timm_hub():  # before the next, which changes what this one reloads
            done.append('timm hub')
        if patch_timm_local_dir():
            done.append('timm local-dir')
        if patch_timm_unpickling():
            done.append('timm unpickling')
        if patch_pkg_resources():
            done.append('pkg_resources')
        if patch_config_prefix():
            done.append('config prefix')
        if patch_ffn():
            done.append('FFN')
        with mmrazor_accepts_mmcv() as needed:
            importlib.import_module('mmrazor')
        if needed:
            done.append('mmcv cap')
        with lazy_imports('scipy.stats', 'sklearn.tree', 'matplotlib.pyplot'):
            if patch_mmrazor_quantization():
                done.append('mmrazor quantization')
            importlib.import_module('mmrazor.models')
            importlib.import_module('mmrazor.engine')
    if silence_ddp_notice():
        done.append('DDP notice')
    return tuple(done)
