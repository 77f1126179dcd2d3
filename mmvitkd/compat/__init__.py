"""Check the versions of other packages and patch what broke between them.

OpenMMLab stopped releasing in 2024; this package lets its last releases import and run on
a current PyTorch. ``import mmvitkd`` runs :func:`apply` before anything else. Every patch
names the versions it is for and the upstream issue it works around, and does nothing where
the installed versions do not need it. Nothing else checks versions.
"""

from .apply_patches import apply
from .import_speed import fast_import
from .supported import SUPPORTED, Supported, check_versions, installed_version

__all__ = [
    'SUPPORTED',
    'Supported',
    'apply',
    'check_versions',
    'fast_import',
    'installed_version',
]
