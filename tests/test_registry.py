"""The registries have a scope and locations, and MMEngine finds them."""

import importlib
import os
import subprocess
import sys

import mmvitkd  # noqa: F401
from mmvitkd import registry
from mmvitkd.compat import torch_patches

import pytest
from mmengine import registry as root
from mmengine.registry import Registry

REGISTRIES = {k: v for k, v in vars(registry).items() if isinstance(v, Registry)}
CHILDREN = [name for name in REGISTRIES if hasattr(root, name)]  # of MMEngine's


def test_there_are_registries():
    assert REGISTRIES.keys() >= {'MODELS', 'HOOKS', 'OPTIM_WRAPPERS'}


@pytest.mark.parametrize('name', CHILDREN)
def test_a_child_of_mmengines_of_the_same_name(name):
    parent = getattr(root, name)
    assert REGISTRIES[name].scope == 'mmvitkd'
    assert REGISTRIES[name].parent is parent
    assert parent.children['mmvitkd'] is REGISTRIES[name]


@pytest.mark.parametrize('name', REGISTRIES)
def test_its_locations_fill_it(name):
    locations = REGISTRIES[name]._locations
    assert locations
    for location in locations:
        importlib.import_module(location)
    # Other tests may have registered types of their own.
    types = [t for t in REGISTRIES[name].module_dict.values() if 'mmvitkd.' in t.__module__]
    assert types
    for kind in types:
        assert kind.__module__.startswith(tuple(f'{x}.' for x in locations)), kind


@pytest.mark.parametrize('name', CHILDREN)
def test_found_from_mmpretrains_scope(name):
    with getattr(root, name).switch_scope_and_registry('mmpretrain') as mmpretrains:
        assert mmpretrains.scope == 'mmpretrain'
        for key, kind in REGISTRIES[name].module_dict.items():
            assert mmpretrains.get(f'mmvitkd.{key}') is kind


CONFIG = """
default_scope = 'mmpretrain'
arch = dict(embed_dims=8, num_layers=2, num_heads=2, feedforward_channels=16)
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvitkd.WideLast',
        base=dict(type='VisionTransformer', arch=arch, img_size=16, patch_size=8),
        width=16),
    head=dict(type='VisionTransformerClsHead', num_classes=3, in_channels=16))
hook = dict(type='mmvitkd.StudentEMAHook')
optim_wrapper = dict(
    type='mmvitkd.BF16OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3))
"""

# The first lines make torchvision work where it does not: MMEngine imports mmpretrain.models
# before it looks for our scope, and only `import mmvitkd` could have patched it.
BY_SCOPE_ALONE = """
import importlib.util, sys, warnings
warnings.simplefilter('ignore')
spec = importlib.util.spec_from_file_location('patches', sys.argv[2])
patches = importlib.util.module_from_spec(spec)
spec.loader.exec_module(patches)
patches.patch_torchvision()

from importlib import metadata
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, MODELS, init_default_scope

cfg = Config.fromfile(sys.argv[1])
init_default_scope(cfg.default_scope)
version = metadata.version
metadata.version = lambda name: '0.1' if name == 'timm' else version(name)
try:
    MODELS.build(cfg.model)
except RuntimeError as error:
    print(error)
metadata.version = version
assert 'mmvitkd' not in sys.modules
model = MODELS.build(cfg.model)
hook = HOOKS.build(cfg.hook)
wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
print(*(type(x).__name__ for x in (model.backbone, hook, wrapper)))
"""


def test_mmengine_imports_it_by_its_scope(tmp_path):
    """A config needs no custom_imports, and an error about a version is not hidden."""
    (tmp_path / 'config.py').write_text(CONFIG)
    done = subprocess.run(
        [
            *(sys.executable, '-c', BY_SCOPE_ALONE),
            *(tmp_path / 'config.py', torch_patches.__file__),
        ],
        capture_output=True,
        text=True,
        env=os.environ | dict(OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    (wrong,) = (line for line in lines if line.startswith('mmvitkd needs'))
    built = lines[-1].split()
    assert 'timm >=1.0.16,<2, found 0.1. Fix: pip install' in wrong
    assert built[0].endswith('WideLastViT')
    assert built[1:] == ['StudentEMAHook', 'BF16OptimWrapper']
