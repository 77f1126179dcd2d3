"""Feature distillation between Vision Transformers, as an OpenMMLab plugin."""

import os
import sys

from .version import __version__


def _only_help() -> bool:
    """Return whether this process only prints help, which should not wait for imports."""
    program, *arguments = sys.argv or ['']
    if program == '-m':  # while Python looks for the module that `python -m` names
        program = sys.orig_argv[-len(sys.argv)]
    wants_help = not arguments or arguments[-1] in ('-h', '--help')
    return wants_help and os.path.basename(program) == 'mmvitkd'


# Importing the package patches OpenMMLab's packages and registers our types.
if not _only_help():
    from . import compat

    with compat.fast_import():
        ADAPTATIONS = compat.apply()

        from .config.env_values import patch_config
        from .config.format_once import patch_formatting

        patch_config()
        patch_formatting()

        from . import datasets, engine, metrics, models
    from .config.load_config import load_config

__all__ = [
    'ADAPTATIONS',
    '__version__',
    'datasets',
    'engine',
    'load_config',
    'metrics',
    'models',
]
