"""Supported versions: what is refused, with the line that mends it."""

import subprocess
import sys
from pathlib import Path

import mmvitkd
from mmvitkd import compat

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

NAMES = [package.module for package in compat.SUPPORTED]

FINE = dict(
    torch='2.13.0',
    numpy='2.4.6',
    timm='1.0.31',
    mmengine='0.10.7',
    mmcv='2.1.0',
    mmpretrain='1.2.0',
    mmrazor='1.0.0',
    joblib='1.6.0',
)


def _finder(**versions):
    """Finds these versions instead of the installed ones."""
    return lambda package: (FINE | versions)[package.module]


def test_what_is_installed_is_supported():
    compat.check_versions()
    assert set(NAMES) == FINE.keys()


OUT_OF_RANGE = [(name, version) for name in NAMES for version in ('0.0.1', '99.0', None)]

OUT_OF_RANGE.remove(('joblib', '99.0'))  # any from 1.0 on is fine


@pytest.mark.parametrize(('name', 'version'), OUT_OF_RANGE)
def test_out_of_range(name, version):
    package = next(p for p in compat.SUPPORTED if p.module == name)
    with pytest.raises(RuntimeError) as error:
        compat.check_versions(_finder(**{name: version}))
    assert str(error.value) == (
        f'mmvitkd needs {name} {package.versions}, found {version or "none"}. '
        f'Fix: {package.pip}'
    )
    assert package.pip.startswith('pip install ')


@pytest.mark.parametrize(
    'versions',
    [
        dict(torch='2.6.0+cu124'),
        dict(torch='2.13.0+cpu'),
        dict(torch='2.14.1+cu130'),
        dict(numpy='1.26.0', timm='1.0.16', mmengine='0.10.5', mmcv='2.0.0'),
        dict(torch='2.14.0.dev20261101+cu130'),
        dict(mmengine='0.10.12', mmpretrain='1.3.6', mmcv='2.3.6'),  # the forks of today
    ],
    ids=str,
)
def test_in_range(versions):
    compat.check_versions(_finder(**versions))


@pytest.mark.parametrize(
    'versions',
    [
        dict(torch='2.5.1+cu124'),
        dict(torch='3.0.0'),
        dict(numpy='1.25.2'),
        dict(numpy='3.0.0'),
        dict(timm='1.0.15'),
        dict(mmengine='0.10.4'),
        dict(mmcv='2.4.0'),
    ],
    ids=str,
)
def test_just_out_of_range(versions):
    with pytest.raises(RuntimeError, match=next(iter(versions.values())).split('+')[0]):
        compat.check_versions(_finder(**versions))


@pytest.mark.parametrize('package', compat.SUPPORTED, ids=NAMES)
def test_every_pip_line_fixes_it(package):
    pins = dict(p.split('==') for p in package.pip.split('"') if '==' in p)
    for name, version in pins.items():
        if name in package.distributions:
            compat.check_versions(_finder(**{package.module: version}))
            break
    else:
        requirement = package.pip.removeprefix('pip install ').strip('"')
        assert requirement in (package.module, package.module + package.versions)


REQUIREMENTS = Path(__file__).parents[2] / 'requirements'


def _required(name) -> dict[str, SpecifierSet]:
    """The versions that a file asks for on this Python, by package."""
    lines = (REQUIREMENTS / f'{name}.txt').read_text().splitlines()
    lines = [line.split('#')[0].strip() for line in lines]
    found = [Requirement(line) for line in lines if line and line[0] != '-']
    return {x.name: x.specifier for x in found if x.marker is None or x.marker.evaluate()}


@pytest.mark.parametrize('package', compat.SUPPORTED, ids=NAMES)
def test_the_requirements_ask_for_the_same(package):
    for name in ('lite', 'mminstall', 'runtime'):
        for distribution, versions in _required(name).items():
            if distribution in package.distributions and distribution != 'mmcv-lite':
                if package.module == 'joblib':  # whose older ones are not refused
                    assert versions == SpecifierSet('>=1.3')
                else:
                    assert versions == SpecifierSet(package.versions)


@pytest.mark.parametrize('matrix', ['oldest', 'newest'])
def test_the_matrix_is_in_range(matrix):
    pinned = {name: str(versions)[2:] for name, versions in _required(matrix).items()}
    for package in compat.SUPPORTED:
        (version,) = (pinned[n] for n in package.distributions if n in pinned)
        assert SpecifierSet(package.versions).contains(version)
    for name in ('lite', 'runtime', 'onnx', 'saliency', 'demo'):
        for distribution, versions in _required(name).items():
            if distribution not in ('packaging', 'pyyaml') or matrix == 'newest':
                version = pinned[distribution.replace('_', '-')]
                assert versions.contains(version), distribution
                if matrix == 'oldest':
                    lowest = next(x.version for x in versions if x.operator == '>=')
                    assert version.startswith(lowest)


IMPORT_WITH = """
import sys
from importlib import metadata
version = metadata.version
metadata.version = lambda name: sys.argv[2] if name == sys.argv[1] else version(name)
import mmvitkd
"""


@pytest.mark.parametrize(
    ('name', 'version'),
    [('torch', '2.5.1'), ('numpy', '1.25.2'), ('timm', '2.0.0'), ('mmengine', '0.9.0')],
)
def test_the_import_names_what_is_out_of_range(name, version):
    command = [sys.executable, '-c', IMPORT_WITH, name, version]
    done = subprocess.run(command, capture_output=True, text=True)
    (package,) = (p for p in compat.SUPPORTED if p.module == name)
    assert done.returncode == 1
    (line,) = (x for x in done.stderr.splitlines() if x.startswith('RuntimeError'))
    for text in (name, package.versions, f'found {version}', package.pip):
        assert text in line


TOY = compat.Supported('toyvision', '>=1', ('toyvision', 'one-toyvision'), 'pip install toy')


@pytest.mark.parametrize('distribution', ['toyvision', 'one-toyvision'])
def test_finds_the_distribution_or_its_fork(site, distribution):
    site(distribution, 'toyvision', version='1.5+cu130')
    assert compat.installed_version(TOY) == '1.5+cu130'
    assert 'toyvision' not in sys.modules  # found without importing it


def test_finds_a_module_that_is_only_on_the_path(site):
    site(None, 'toyvision', version='1.7')
    assert compat.installed_version(TOY) == '1.7'


def test_finds_nothing(site):
    assert compat.installed_version(TOY) is None


@pytest.mark.parametrize(
    ('module', 'names'),
    [
        ('mmengine', {'mmengine', 'mmengine-lite', 'onedl-mmengine'}),
        ('mmcv', {'mmcv', 'mmcv-lite', 'onedl-mmcv'}),
        ('mmpretrain', {'mmpretrain', 'onedl-mmpretrain'}),
    ],
)
def test_the_forks_are_accepted(module, names):
    package = next(p for p in compat.SUPPORTED if p.module == module)
    assert set(package.distributions) == names


def test_nothing_else_knows_versions():
    package = Path(mmvitkd.__file__).parent
    for path in package.rglob('*.py'):
        if path.name != 'version.py' and path.parent.name != 'compat':
            assert '__version__ <' not in path.read_text(), path
            assert 'digit_version' not in path.read_text(), path
