"""Ship configs, tools and the index of models in the wheel; see pyproject.toml for the rest."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithMim(build_py):
    """Copy configs, tools and the index to `mmvitkd/.mim`, where OpenMMLab expects them.

    They are copied into the build, never into the source tree. An editable install needs
    no copy: the package finds them in the clone.
    """

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib) / 'mmvitkd' / '.mim'
        shutil.rmtree(mim, ignore_errors=True)  # left over from an earlier build
        caches = shutil.ignore_patterns('__pycache__', '*.py[co]')
        for name in ('configs', 'tools'):
            shutil.copytree(ROOT / name, mim / name, ignore=caches)
        shutil.copy2(ROOT / 'model-index.yml', mim)


setup(cmdclass={'build_py': BuildWithMim})
