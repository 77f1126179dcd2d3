"""Build mmvitkd; its dependencies are stated in requirements/*.txt only."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
EXTRAS = {
    'mim': 'mminstall',
    'lite': 'lite',
    'demo': 'demo',
    'onnx': 'onnx',
    'tests': 'tests',
    'all': 'all',
}


def read_version() -> str:
    """Return the version without importing the package, which needs torch."""
    text = (ROOT / 'mmvitkd' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE)[1]


def read_readme() -> str:
    """Return README.md, or nothing where a build runs without it."""
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.exists() else ''


def read_requirements(name: str) -> list[str]:
    """Return the lines of requirements/<name>.txt with `-r` includes resolved."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8')
    found = []
    for line in lines.splitlines():
        line = line.split('#')[0].strip()
        if line.startswith('-r '):
            found += read_requirements(line[3:].strip().removesuffix('.txt'))
        elif line:
            found.append(line)
    return found


class BuildWithMim(build_py):
    """Ships configs, tools and the index of models in `.mim`, where OpenMMLab looks for them.

    They are copied into the build, never into the source tree. An editable install needs
    no copy: the package finds them in the clone.
    """

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib) / 'mmvitkd' / '.mim'
        shutil.rmtree(mim, ignore_errors=True)  # what an earlier build left there
        caches = shutil.ignore_patterns('__pycache__', '*.py[co]')
        for name in ('configs', 'tools'):
            shutil.copytree(ROOT / name, mim / name, ignore=caches)
        shutil.copy2(ROOT / 'model-index.yml', mim)


setup(
    name='mmvitkd',
    version=read_version(),
    description='Feature distillation between Vision Transformers for OpenMMLab',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license_expression='Apache-2.0',
    license_files=['LICENSE'],
    keywords=['computer vision', 'knowledge distillation', 'vision transformer'],
    cmdclass={'build_py': BuildWithMim},
    packages=find_packages(include=['mmvitkd', 'mmvitkd.*']),
    python_requires='>=3.11',
    install_requires=read_requirements('runtime'),
    extras_require={extra: read_requirements(name) for extra, name in EXTRAS.items()},
    zip_safe=False,
)
