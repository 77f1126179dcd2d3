"""Which file of a config sets a key."""

import mmvitkd  # noqa: F401
from mmvitkd.config.layers import Layers

import pytest


@pytest.fixture
def files(tmp_path):
    """A config that inherits two, of which one inherits a third."""

    def write(name, text):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    write('data.py', "loader = dict(dataset=dict(root='a', steps=[1]), size=2)\nshared = [1]")
    write('middle.py', "_base_ = './data.py'\nroot = 'b'\nunused = shared2 = 1")
    write('other.py', 'scale = 3')
    text = "_base_ = ['./middle.py', './other.py']\nloader = dict(size={{_base_.scale}})"
    return write('own.py', text)


def test_the_later_file_wins(files):
    layers = Layers.of(files)
    assert layers.overrides('root', 'loader.dataset.root')
    assert not layers.overrides('loader.dataset.root', 'root')
    assert layers.overrides('loader.size', 'root')


def test_files_that_do_not_inherit_each_other_are_no_later(files):
    layers = Layers.of(files)
    assert not layers.overrides('scale', 'root') and not layers.overrides('root', 'scale')


def test_one_file_is_as_late_as_itself_unless_strictly(files):
    layers = Layers.of(files)
    assert layers.overrides('loader.dataset.root', 'shared')
    assert not layers.overrides('loader.dataset.root', 'shared', strictly=True)


def test_options_come_last(files):
    layers = Layers.of(files, {'loader.dataset.root': 'c'})
    assert layers.overrides('loader.dataset.root', 'root')


def test_a_list_and_what_replaces_a_dict_set_all_within(tmp_path):
    (tmp_path / 'base.py').write_text("root = 'a'")
    text = "_base_ = './base.py'\nloader = dict(_delete_=True, parts=[dict(root='b')])"
    (tmp_path / 'own.py').write_text(text)
    layers = Layers.of(str(tmp_path / 'own.py'))
    assert layers.last('loader.parts.0.root').name.endswith('own.py')
    assert layers.last('loader.size').name.endswith('own.py')


def test_the_variables_that_files_read(files):
    assert 'scale' in Layers.of(files).used
    assert 'unused' not in Layers.of(files).used


def test_a_config_that_is_no_file():
    assert Layers.of(None).last('root') is None
