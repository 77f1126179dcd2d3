"""What tests share: the default scope of our configs, a seed, an installed wheel."""

import sys
from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import torch
from mmengine.registry import DefaultScope

sys.path.insert(0, str(Path(__file__).parent))  # for `import toy`

import wheels


@pytest.fixture(autouse=True)
def scope():
    """Build types without a prefix as MMPretrain's, and start from the same seed."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


@pytest.fixture(scope='session')
def source(tmp_path_factory):
    """A copy of what the wheel is made from."""
    return wheels.copy_of_sources(tmp_path_factory.mktemp('source'))


@pytest.fixture(scope='session')
def wheel(source, tmp_path_factory):
    """The wheel."""
    before = wheels.files_of(source)
    built = wheels.wheel_of(source, tmp_path_factory.mktemp('wheel'))
    assert wheels.files_of(source) == before  # nothing is left in the tree
    return built


@pytest.fixture(scope='session')
def site(wheel, tmp_path_factory):
    """A folder with the wheel installed, for PYTHONPATH."""
    return wheels.install(wheel, tmp_path_factory.mktemp('site'))
