"""Build the wheel and install it in a folder, without a package index."""

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[1]
SOURCES = (
    *('setup.py', 'pyproject.toml', 'MANIFEST.in', 'model-index.yml'),
    *(
        'README.md',
        'LICENSE',
        'CHANGELOG.md',
        'CITATION.cff',
        'examples',
        'mmvitkd',
        'configs',
        'tools',
        'requirements',
    ),
)


def run(*command, cwd, **environment):
    """What a command prints, without a package index and on one thread."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env=os.environ | dict(PIP_NO_INDEX='1', OMP_NUM_THREADS='1') | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def wheel_of(source, out):
    """Build a folder's or an archive's wheel as a user would."""
    options = ['--no-deps', '--no-build-isolation', '-q', '-w', out]
    run('-m', 'pip', 'wheel', *options, source, cwd=out.parent)
    (wheel,) = out.glob('*.whl')
    return wheel


def files_of(folder):
    """The files of a source tree that are neither caches nor build output."""
    output = {'build', '__pycache__', 'mmvitkd.egg-info'}
    paths = (path.relative_to(folder) for path in folder.rglob('*') if path.is_file())
    return {path.as_posix() for path in paths if not output & set(path.parts)}


def copy_of_sources(folder):
    """A copy of what the wheel is made from, with caches and an older build in it."""
    pytest.importorskip('pip', reason='builds wheels with pip')
    if Version(metadata.version('setuptools')) < Version('77'):
        pytest.skip('builds need setuptools >= 77, see pyproject.toml')
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns('__pycache__')
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, folder)
    old = folder / 'build' / 'lib' / 'mmvitkd' / '.mim' / 'configs'
    for parent in (folder / 'tools' / '__pycache__', old):
        parent.mkdir(parents=True)
    (folder / 'tools' / '__pycache__' / 'train.cpython-311.pyc').touch()
    (old / 'removed_since.py').touch()
    (folder / 'tests').mkdir()
    (folder / 'tests' / 'test_left_out.py').touch()
    return folder


def install(wheel, folder):
    """Install a wheel in a folder, for PYTHONPATH."""
    options = ['--no-deps', '-q', '--target', folder]
    run('-m', 'pip', 'install', *options, wheel, cwd=folder)
    return folder
