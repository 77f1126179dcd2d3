"""Say which versions of other packages are supported, and check the installed ones."""

import importlib
import importlib.util
from collections.abc import Callable
from importlib import metadata
from typing import NamedTuple

from packaging.specifiers import SpecifierSet


class Supported(NamedTuple):
    """A package that mmvitkd needs, under its import name."""

    module: str
    versions: str
    distributions: tuple[str, ...]
    pip: str


# The forks (onedl-*) have the same import names, and are accepted in their place.
SUPPORTED = (
    Supported(
        'torch',
        '>=2.6,<3',
        ('torch',),
        'pip install "torch==2.13.0" "torchvision==0.28.0"',
    ),
    Supported('numpy', '>=1.26,<3', ('numpy',), 'pip install "numpy>=1.26,<3"'),
    Supported('timm', '>=1.0.16,<2', ('timm',), 'pip install "timm==1.0.31"'),
    Supported(
        'mmengine',
        '>=0.10.5,<1',
        ('mmengine', 'mmengine-lite', 'onedl-mmengine'),
        'pip install "mmengine==0.10.7"',
    ),
    Supported(
        'mmcv',
        '>=2.0.0,<2.4',
        ('mmcv', 'mmcv-lite', 'onedl-mmcv'),
        'pip install "mmcv-lite==2.1.0"',
    ),
    Supported(
        'mmpretrain',
        '>=1.2.0,<2',
        ('mmpretrain', 'onedl-mmpretrain'),
        'pip install "mmpretrain==1.2.0"',
    ),
    Supported('mmrazor', '>=1.0.0,<2', ('mmrazor',), 'pip install "mmrazor==1.0.0"'),
    Supported('joblib', '>=1.0', ('joblib',), 'pip install joblib'),
)


def installed_version(package: Supported) -> str | None:
    """Return the installed version of a package, or None if it is not installed."""
    for name in package.distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if importlib.util.find_spec(package.module) is None:
        return None
    return str(importlib.import_module(package.module).__version__)


def check_versions(
    find: Callable[[Supported], str | None] = installed_version,
) -> None:
    """Check that every package is installed in a supported version.

    Args:
        find: Returns the installed version of a package, or None.

    Raises:
        RuntimeError: If a package is not; the message names the first, the installed and the
            supported version, and the pip line that fixes it. (An ImportError raised while
            MMEngine imports ``mmvitkd.registry`` would be reported as a missing scope.)
    """
    for package in SUPPORTED:
        version = find(package)
        if version is None or not SpecifierSet(package.versions).contains(
            version, prereleases=True
        ):
            raise RuntimeError(
                f'mmvitkd needs {package.module} {package.versions}, found '
                f'{version or "none"}. Fix: {package.pip}'
            )
