"""Installed, not cloned: what a wheel ships, and that it runs outside the clone."""

import ast
import os
import sys
import tarfile
import zipfile
from collections import Counter
from importlib import metadata

import mmvitkd

import numpy as np
import pytest
from mmengine.config import Config
from packaging.requirements import Requirement
from PIL import Image
from wheels import ROOT, files_of, run, wheel_of

DIST_INFO = f'mmvitkd-{mmvitkd.__version__}.dist-info'
EXTRAS = {'all', 'demo', 'docs', 'lite', 'mim', 'mlflow', 'onnx', 'saliency', 'tests'}
SHIPPED = ('model-index.yml', 'configs', 'tools')
# What is imported, by what is installed. OpenCV, which has four names, comes with mmcv.
NAMES = {'PIL': 'pillow', 'yaml': 'pyyaml', 'mmcv': 'mmcv-lite', 'cv2': 'mmcv-lite'}
# As tools/train.py would be asked, for two epochs of two steps on ten images.
TINY = (
    *('train_cfg.max_epochs=2', 'param_scheduler.0.end=1', 'param_scheduler.1.begin=1'),
    *('train_dataloader.batch_size=5', 'val_dataloader.batch_size=5'),
    *('train_dataloader.dataset.data_root=.', 'val_dataloader.dataset.data_root=.'),
)


def hook(name, source, out):
    """Call a hook of the build back end, as pip does for an editable install."""
    code = f'from setuptools import build_meta; build_meta.{name}({str(out)!r})'
    run('-c', code, cwd=source)
    (built,) = out.iterdir()
    return built


def names_in(wheel):
    """The files in a wheel, without its version's record of them."""
    with zipfile.ZipFile(wheel) as archive:
        return sorted(name for name in archive.namelist() if not name.endswith('/RECORD'))


def test_the_wheel_ships_configs_tools_and_the_index(source, wheel):
    wanted = {f'mmvitkd/.mim/{n}' for n in files_of(source) if n.split('/')[0] in SHIPPED}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if name.startswith('mmvitkd/.mim/')}
        assert found == wanted
        for name in found:
            content = (source / name.removeprefix('mmvitkd/.mim/')).read_bytes()
            assert archive.read(name) == content


def test_its_metadata(wheel):
    found = metadata.PathDistribution(zipfile.Path(wheel, f'{DIST_INFO}/')).metadata.json
    assert (found['name'], found['version']) == ('mmvitkd', mmvitkd.__version__)
    assert found['license_expression'] == 'Apache-2.0'
    assert found['author'] == 'mmvitkd contributors'
    assert 'Typing :: Typed' in found['classifier']
    assert all('https://' in url for url in found['project_url'])
    assert found['description'] == (ROOT / 'README.md').read_text()
    assert set(found['provides_extra']) == EXTRAS


def test_requirements_are_those_of_the_files(wheel):
    """Installed torch, mmcv, mmengine and mmpretrain are kept, unless an extra is named."""
    found = metadata.PathDistribution(zipfile.Path(wheel, f'{DIST_INFO}/')).requires
    always = {Requirement(line).name for line in found if 'extra ==' not in line}
    runtime = (ROOT / 'requirements' / 'runtime.txt').read_text().splitlines()
    assert always == {
        Requirement(line.split('#')[0]).name for line in runtime if line[0] != '#'
    }
    assert not always & {'torch', 'torchvision', 'mmcv', 'mmengine', 'mmpretrain'}
    lite = {Requirement(line).name for line in found if 'extra == "lite"' in line}
    assert {'torch', 'torchvision', 'mmcv-lite', 'mmengine', 'mmpretrain'} <= lite
    everything = {Requirement(line).name for line in found if 'extra == "all"' in line}
    assert lite | {'mlxtend', 'onnx', 'pytest', 'sphinx'} <= everything


def imported(folder):
    """The packages that a folder's modules import, wherever in them."""
    for path in (ROOT / folder).rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition('.')[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module.partition('.')[0]


@pytest.mark.parametrize('folder', ['mmvitkd', 'tools'])
def test_what_is_imported_is_required(folder):
    texts = [
        (ROOT / 'requirements' / f'{name}.txt').read_text()
        for name in ('runtime', 'lite', 'onnx', 'saliency', 'demo')
    ]
    lines = [line.split('#')[0].strip() for text in texts for line in text.splitlines()]
    required = {Requirement(line).name.lower() for line in filter(None, lines)}
    own = {path.stem for path in (ROOT / folder).rglob('*.py')} | {'mmvitkd'}
    others = set(imported(folder)) - set(sys.stdlib_module_names) - own
    assert {NAMES.get(name, name) for name in others} <= required


def test_types_are_shipped(wheel):
    assert 'mmvitkd/py.typed' in names_in(wheel)


def test_it_has_a_command(site):
    command = site / 'bin' / 'mmvitkd'
    listed = run(command, cwd=site, PYTHONPATH=str(site))
    assert listed.startswith('usage: ')
    assert listed == run('-m', 'mmvitkd', cwd=site, PYTHONPATH=str(site))


def test_scripts_stay_executable(source, site):
    scripts = [path.relative_to(source) for path in (source / 'tools').rglob('*.sh')]
    assert len(scripts) >= 4
    for script in scripts:
        installed = site / 'mmvitkd' / '.mim' / script
        assert os.access(installed, os.X_OK) == os.access(source / script, os.X_OK)


@pytest.fixture(scope='session')
def archive(source, tmp_path_factory):
    """The source archive."""
    return hook('build_sdist', source, tmp_path_factory.mktemp('sdist'))


def test_a_source_archive_gives_the_same_wheel(archive, wheel, tmp_path):
    assert names_in(wheel_of(archive, tmp_path)) == names_in(wheel)


def test_a_source_archive_has_what_users_read_and_no_tests(archive):
    with tarfile.open(archive) as content:
        names = {name.partition('/')[2] for name in content.getnames()}
    assert {'CHANGELOG.md', 'LICENSE', 'README.md', 'examples/read_a_report.ipynb'} <= names
    assert not [name for name in names if name.startswith('tests/') or name.endswith('.pyc')]


def test_an_editable_install_copies_nothing(source, tmp_path):
    before = files_of(source)
    built = hook('build_editable', source, tmp_path)
    assert files_of(source) == before
    assert not any('.mim' in name for name in names_in(built))


def test_tools_and_experiments_have_names_of_their_own():
    """MIM and `python -m mmvitkd` find them by the name of the file alone."""
    folders = [ROOT / name for name in ('tools', 'configs', 'mmvitkd')]
    modules = Counter(path.name for folder in folders for path in folder.rglob('*.py'))
    tools = Counter(p.stem for p in folders[0].rglob('*') if p.suffix in ('.py', '.sh'))
    configs = [p.name for p in folders[1].rglob('*.py') if '_base_' not in p.parts]
    assert [name for name in configs if modules[name] > 1] == []
    assert [name for name in tools if tools[name] > 1] == []


OWN = """
_base_ = 'mmvitkd::mnist5k/vit_32.py'
where = __import__('mmvitkd').__file__
"""


def test_it_trains_outside_the_clone(site, tmp_path):
    for split in ('train', 'val'):
        for label in range(10):
            folder = tmp_path / split / str(label)
            folder.mkdir(parents=True)
            Image.fromarray(np.full((28, 28), 20 * label, np.uint8)).save(folder / '0.png')
    (tmp_path / 'own.py').write_text(OWN)
    command = ['-m', 'mmvitkd', 'train', 'own.py', '--work-dir', 'out', '--cfg-options', *TINY]
    run(*command, cwd=tmp_path, PYTHONPATH=str(site))
    config = Config.fromfile(tmp_path / 'out' / 'own.py')
    assert config.where == str(site / 'mmvitkd' / '__init__.py') != mmvitkd.__file__
    assert config.model == Config.fromfile(ROOT / 'configs/mnist5k/vit_32.py').model
    assert (tmp_path / 'out' / 'epoch_2.pth').is_file()
