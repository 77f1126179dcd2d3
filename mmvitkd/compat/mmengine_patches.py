"""Patch MMEngine: installed packages, the prefix of our configs, a notice of DDP."""

import importlib.util
import os.path as osp
import sys
import warnings
from importlib import metadata

from packaging.specifiers import SpecifierSet


def patch_pkg_resources() -> bool:
    """Let MMEngine find installed packages without ``pkg_resources``.

    For mmengine <= 0.10.7 on setuptools >= 81, which no longer has that module;
    ``_base_ = 'mmpretrain::...'`` needs it (MMEngine issue 1410 is about that prefix).
    """
    if importlib.util.find_spec('pkg_resources') is not None:
        return False
    from mmengine.utils import package_utils

    try:
        package_utils.is_installed('mmengine')
        return False
    except ImportError:
        pass
    replacements = {
        'is_installed': (package_utils.is_installed, _is_installed),
        'get_installed_path': (package_utils.get_installed_path, _get_installed_path),
    }
    for module_name, module in list(sys.modules.items()):
        if module_name.split('.')[0] == 'mmengine':
            for name, (old, new) in replacements.items():
                if getattr(module, name, None) is old:
                    setattr(module, name, new)
    return True


def _is_installed(package: str) -> bool:
    """Return whether a distribution or a module of this name is installed."""
    try:
        metadata.distribution(package)
        return True
    except metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        return spec is not None and spec.origin is not None


def _get_installed_path(package: str) -> str:
    """Return the folder of an installed package, by its distribution's or module's name."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        top_level = metadata.distribution(package).read_text('top_level.txt') or ''
        # onedl-mmcv lists its documentation first.
        specs = map(importlib.util.find_spec, top_level.split() or [package])
        spec = next((found for found in specs if found and found.origin), None)
    if spec is None or spec.origin is None:
        raise RuntimeError(f'{package} is not an installed package with a folder of its own')
    return osp.dirname(spec.origin)


def patch_config_prefix() -> bool:
    """Let ``_base_ = 'mmvitkd::...'`` find the configs that come with this package.

    For mmengine and onedl-mmengine < 1; MMEngine issue 1410, PR 1411. MMEngine accepts
    this prefix only for the projects on its list, looks for the file in a sub-folder of an
    installed package, and makes the project the scope of everything inherited. Our configs
    write MMPretrain's types without a prefix, and would not build in another scope.
    """
    from mmengine.config import Config
    from mmengine.config.utils import MODULE2PACKAGE

    from ..package_data import PREFIX, packaged_config

    if 'mmvitkd' in MODULE2PACKAGE:
        return False
    MODULE2PACKAGE['mmvitkd'] = 'mmvitkd'
    get_cfg_path = Config._get_cfg_path

    def get_cfg_path_or_packaged(cfg_path: str, filename: str) -> tuple[str, str | None]:
        if cfg_path.startswith(PREFIX):
            return str(packaged_config(cfg_path)), None
        path, scope = get_cfg_path(cfg_path, filename)
        return path, scope

    Config._get_cfg_path = staticmethod(get_cfg_path_or_packaged)
    return True


def silence_ddp_notice() -> bool:
    """Silence torch's notice about ``broadcast_buffers``, which MMEngine's runner passes.

    For mmengine <= 0.10.7 on torch >= 2.13, where DDP renamed the argument; no upstream
    issue is known to us. A user who only runs a config cannot fix it.
    """
    needed = SpecifierSet('>=2.13.dev0').contains(metadata.version('torch'), prereleases=True)
    if needed:
        message = '`broadcast_buffers` is deprecated'
        warnings.filterwarnings('ignore', message, FutureWarning, r'mmengine\.model\.wrappers')
    return needed
