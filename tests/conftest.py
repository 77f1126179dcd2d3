"""What every test has: few threads, and the default scope of our configs."""

import sys
from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import torch
from mmengine.registry import DefaultScope

sys.path.insert(0, str(Path(__file__).parent))  # for `import toy`


@pytest.fixture(autouse=True)
def scope():
    """Build types without a prefix as MMPretrain's, and start from the same seed."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield
