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
    """Add configs and tools as mmvitkd/.mim, where `mmvitkd::` configs are looked up.

    A wheel gets copies; an editable install gets links, so that edits show at once.
    """

    def run(self) -> None:
        """Build the package, then fill its .mim folder."""
        super().run()
        home = ROOT if self.editable_mode else Path(self.build_lib)
        mim = home / 'mmvitkd' / '.mim'
        mim.mkdir(parents=True, exist_ok=True)
        for name in ('configs', 'tools'):
            if self.editable_mode:
                link(mim / name, Path('..', '..', name))
            else:
                copy(ROOT / name, mim / name)


def link(path: Path, target: Path) -> None:
    """Make `path` a symbolic link to `target`, in place of an older link."""
    path.unlink(missing_ok=True)
    path.symlink_to(target, target_is_directory=True)


def copy(source: Path, target: Path) -> None:
    """Copy a folder, without what Python leaves in it, over an older copy."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__'))


setup(
    name='mmvitkd',
    version=read_version(),
    description='Feature distillation between Vision Transformers for OpenMMLab',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license_expression='Apache-2.0',
    license_files=['LICENSE'],
    keywords=['computer vision', 'knowledge distillation', 'vision transformer'],
    packages=find_packages(include=['mmvitkd', 'mmvitkd.*']),
    python_requires='>=3.11',
    install_requires=read_requirements('runtime'),
    extras_require={extra: read_requirements(name) for extra, name in EXTRAS.items()},
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
