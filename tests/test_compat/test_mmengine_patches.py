"""MMEngine: installed packages, `mmvitkd::` configs, a notice of DDP."""

import os
import sys
import types
import warnings
from importlib import metadata
from pathlib import Path

import mmvitkd
from mmvitkd.compat import mmengine_patches

import mmcv
import mmpretrain
import mmrazor
import pytest
import torch
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils import get_installed_path, is_installed


@pytest.mark.parametrize('module', [mmpretrain, mmcv, mmrazor, torch, pytest])
def test_the_folder_of_a_package(module):
    folder = os.path.dirname(module.__file__)
    assert mmengine_patches._get_installed_path(module.__name__) == folder
    (distribution,) = set(metadata.packages_distributions()[module.__name__])
    assert mmengine_patches._get_installed_path(distribution) == folder
    assert mmengine_patches._is_installed(distribution)
    assert mmengine_patches._is_installed(module.__name__)


def test_the_folder_of_a_package_under_another_name(site):
    folder = site('one-toyvision', 'toyvision')
    assert mmengine_patches._get_installed_path('one-toyvision') == str(folder / 'toyvision')
    assert mmengine_patches._is_installed('one-toyvision')


def test_what_is_not_installed(site):
    assert mmengine_patches._is_installed('toyvision') is False
    with pytest.raises(ImportError, match='toyvision'):
        mmengine_patches._get_installed_path('toyvision')


def test_a_package_without_a_folder_of_its_own(site):
    folder = site('one-toyvision', None, top_level=False)
    with pytest.raises(RuntimeError, match='one-toyvision is not an installed package with'):
        mmengine_patches._get_installed_path('one-toyvision')
    (folder / 'toyvision').mkdir()  # a namespace package
    assert mmengine_patches._is_installed('toyvision') is False
    with pytest.raises(RuntimeError, match='toyvision is not an installed package with'):
        mmengine_patches._get_installed_path('toyvision')


def test_mmengine_gets_these_answers(tmp_path):
    if 'pkg_resources' not in mmvitkd.ADAPTATIONS:
        pytest.skip('MMEngine has its own')
    assert get_installed_path is mmengine_patches._get_installed_path
    assert is_installed is mmengine_patches._is_installed
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmpretrain::_base_/models/vit-base-p16.py'\n")
    assert Config.fromfile(config).model.backbone.type == 'VisionTransformer'


def test_an_mmengine_that_does_not_ask_is_left_alone(monkeypatch):
    """Its fork, for example, reads the metadata itself."""
    from mmengine.utils import package_utils

    def own(package):
        return True

    monkeypatch.setitem(sys.modules, 'pkg_resources', None)
    monkeypatch.setattr(package_utils, 'is_installed', own)
    assert mmengine_patches.patch_pkg_resources() is False
    assert package_utils.is_installed is own


def test_everything_in_mmengine_that_asks_is_answered(monkeypatch):
    from mmengine.utils import package_utils

    def ask(package):
        import pkg_resources

        return pkg_resources

    def path(package):
        return ask(package)

    monkeypatch.setitem(sys.modules, 'pkg_resources', None)
    user = types.ModuleType('mmengine.toyuser')
    user.is_installed, user.get_installed_path = ask, path
    monkeypatch.setitem(sys.modules, 'mmengine.toyuser', user)
    stranger = types.ModuleType('mmengine_toy')
    stranger.is_installed = ask
    monkeypatch.setitem(sys.modules, 'mmengine_toy', stranger)
    monkeypatch.setattr(package_utils, 'is_installed', ask)
    monkeypatch.setattr(package_utils, 'get_installed_path', path)
    assert mmengine_patches.patch_pkg_resources() is True
    assert user.is_installed('mmpretrain') is True
    assert user.get_installed_path('mmpretrain') == os.path.dirname(mmpretrain.__file__)
    assert stranger.is_installed is ask
    assert mmengine_patches.patch_pkg_resources() is False


CONFIGS = Path(__file__).parents[2] / 'configs'

NAMES_OF_OURS = [
    'cait_s24_deit_tiny_widelast.py',
    'mnist5k/vit_32.py',
    '_base_/default_runtime.py',
]


@pytest.fixture
def inherit(tmp_path):
    """Load a config that inherits another and says nothing else."""

    def load(base):
        (tmp_path / 'own.py').write_text(f'_base_ = {base!r}\n')
        return Config.fromfile(tmp_path / 'own.py')

    return load


@pytest.mark.parametrize('name', NAMES_OF_OURS)
def test_the_prefix_is_as_good_as_the_path(inherit, name):
    """No `_scope_` is added either: another than MMPretrain's would not build."""
    assert inherit(f'mmvitkd::{name}').to_dict() == inherit(str(CONFIGS / name)).to_dict()


def test_a_config_that_inherits_ours_builds(inherit):
    config = inherit('mmvitkd::cait_s24_deit_tiny_widelast.py')
    student = mmpretrain.registry.MODELS.build(config.model.architecture)
    assert sum(p.numel() for p in student.parameters()) == 7_313_896


def test_a_config_that_inherits_mmpretrains_builds(inherit):
    config = inherit('mmpretrain::deit/deit-tiny_4xb256_in1k.py')
    model = mmpretrain.registry.MODELS.build(config.model)
    assert sum(p.numel() for p in model.parameters()) == 5_717_416


def test_a_name_that_is_not_ours_is_an_error(inherit):
    message = (
        r'no config mmvitkd::cait_s24_widelast\.py; did you mean mmvitkd::cait_s24_\w+\.py'
    )
    with pytest.raises(FileNotFoundError, match=message):
        inherit('mmvitkd::cait_s24_widelast.py')


@pytest.fixture
def stock(monkeypatch):
    """An unpatched MMEngine, with a stand-in that answers every path."""
    monkeypatch.delitem(MODULE2PACKAGE, 'mmvitkd')

    def answer(cfg_path, filename):
        return cfg_path, 'asked'

    monkeypatch.setattr(Config, '_get_cfg_path', staticmethod(answer))
    return answer


def test_only_our_prefix_is_answered(stock):
    assert mmengine_patches.patch_config_prefix() is True
    assert mmengine_patches.patch_config_prefix() is False
    assert MODULE2PACKAGE['mmvitkd'] == 'mmvitkd'
    path = str(CONFIGS / NAMES_OF_OURS[0])
    assert Config._get_cfg_path(f'mmvitkd::{NAMES_OF_OURS[0]}', 'own.py') == (path, None)
    for other in ('mmpretrain::deit/x.py', './mmvitkd.py', '../x.py', '/mmvitkd/x.py'):
        assert Config._get_cfg_path(other, 'own.py') == (other, 'asked')


def test_an_mmengine_that_knows_the_prefix_is_left_alone(stock, monkeypatch):
    monkeypatch.setitem(MODULE2PACKAGE, 'mmvitkd', 'mmvitkd')
    assert mmengine_patches.patch_config_prefix() is False
    assert Config._get_cfg_path is stock


@pytest.mark.parametrize(
    ('version', 'needed'),
    [('2.11.0+cu130', False), ('2.12.1', False), ('2.13.0+cpu', True), ('2.14.0', True)],
)
def test_ddps_notice(monkeypatch, version, needed):
    monkeypatch.setattr(metadata, 'version', lambda name: version)
    wrapper = 'mmengine.model.wrappers.distributed'
    notice = '`broadcast_buffers` is deprecated. Use `forward_sync_buffers` instead.'
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        assert mmengine_patches.silence_ddp_notice() is needed
        warnings.warn_explicit(notice, FutureWarning, 'file.py', 1, wrapper)
        warnings.warn_explicit('another one', FutureWarning, 'file.py', 1, wrapper)
        warnings.warn_explicit(notice, FutureWarning, 'file.py', 1, 'users_own_code')
    wanted = ['another one', notice] if needed else [notice, 'another one', notice]
    assert [str(warning.message) for warning in caught] == wanted
