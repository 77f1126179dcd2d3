"""Collect the environment of an experiment: commit, versions, hardware.

MMEngine's ``collect_env`` also runs the compilers, which takes a second, and lacks the
processor and most of these packages.
"""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import torch

from ..compat import SUPPORTED, installed_version
from ..version import __version__

LOCAL_CHANGES = ' with local changes'


def commit_of(folder: Path) -> str | None:
    """Return the commit of a clone, with a note if tracked files were changed.

    Args:
        folder: The root of the clone.

    Returns:
        None without git, or if the folder is not the root of a clone.
    """
    root = _git(folder, 'rev-parse', '--show-toplevel')
    if root is None or Path(root).resolve() != folder.resolve():
        return None
    commit = _git(folder, 'rev-parse', 'HEAD')
    changed = _git(folder, 'status', '--porcelain', '--untracked-files=no')
    return f'{commit}{LOCAL_CHANGES}' if commit and changed else commit


def versions() -> dict[str, str | None]:
    """Return the versions of Python, mmvitkd and its dependencies."""
    found = {package.module: installed_version(package) for package in SUPPORTED}
    others = ('numpy', 'scipy', 'pillow')
    found |= {name: metadata.version(name) for name in others} | {'opencv': cv2.__version__}
    return {'python': platform.python_version(), 'mmvitkd': __version__, **found}


def hardware() -> dict[str, Any]:
    """Return the system, the processor, its number of cores, and the GPUs."""
    gpus = range(torch.cuda.device_count())
    return dict(
        system=f'{platform.system()} {platform.machine()}',
        processor=_processor(),
        cores=os.cpu_count(),
        gpus=[torch.cuda.get_device_name(i) for i in gpus],
    )


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor()


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ['git', '-C', str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
