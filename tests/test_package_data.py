"""Where configs and tools lie, in a clone and once installed."""

from pathlib import Path

from mmvitkd.package_data import PACKAGE, data_folder, packaged_config
from mmvitkd.suggestions import did_you_mean

import pytest


@pytest.fixture
def package(tmp_path):
    """A package's folder with nothing next to it or in it."""
    (tmp_path / 'mmvitkd').mkdir()
    return tmp_path / 'mmvitkd'


def test_in_a_clone_it_is_the_root(package):
    (package.parent / 'model-index.yml').touch()
    assert data_folder(package) == package.parent


def test_once_installed_it_is_inside_the_package(package):
    (package / '.mim').mkdir()
    (package / '.mim' / 'model-index.yml').touch()
    (package.parent / 'model-index.yml').touch()  # of somebody else, in site-packages
    assert data_folder(package) == package / '.mim'


def test_a_package_installed_without_them_says_so(package):
    (package.parent / 'configs').mkdir()
    with pytest.raises(FileNotFoundError, match=r'wanted model-index.yml.* found neither') as e:
        data_folder(package)
    assert str(package / '.mim') in str(e.value)


@pytest.mark.parametrize('name', ['cait_s24_deit_tiny_lift.py', 'mnist5k/vit_32.py'])
def test_a_config_of_ours_has_a_path(name):
    path = packaged_config(f'mmvitkd::{name}')
    assert path == data_folder(PACKAGE) / 'configs' / name
    assert path.is_absolute() and path.is_file()


def test_a_config_that_does_not_exist_names_close_ones():
    with pytest.raises(FileNotFoundError) as error:
        packaged_config('mmvitkd::mnist5k/vit_32_widelst.py')
    assert str(error.value).startswith('there is no config mmvitkd::mnist5k/vit_32_widelst.py')
    assert 'did you mean mmvitkd::mnist5k/vit_32_widelast.py' in str(error.value)


def test_a_folder_is_no_config():
    with pytest.raises(FileNotFoundError, match=r'there is no config mmvitkd::mnist5k'):
        packaged_config('mmvitkd::mnist5k')


def test_only_close_names_are_named():
    assert did_you_mean('trian', ['train', 'mnist5k']) == '; did you mean train?'
    assert did_you_mean('xyz', ['train', 'mnist5k']) == ''


def test_the_package_is_the_one_that_was_imported():
    import mmvitkd

    assert Path(mmvitkd.__file__).resolve().parent == PACKAGE
