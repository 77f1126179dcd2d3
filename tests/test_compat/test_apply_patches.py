"""All patches together, in processes of their own."""

import json
import os
from importlib import metadata

from mmvitkd import compat
from mmvitkd.compat import mmengine_patches, mmrazor_patches, torch_patches

import mmpretrain


def test_importing_prints_nothing(run_code):
    assert run_code('import mmvitkd') == ''


def test_the_screen_is_that_of_the_process(run_code):
    code = "import mmvitkd; from mmengine.logging import print_log; print_log('hi', 'current')"
    assert 'hi' in run_code(code)


def test_every_type_of_mmrazor_is_registered(after_import):
    named = after_import['named']
    assert {'MetricPredictor', 'ModuleOutputsRecorder'} <= set(named['TASK_UTILS'])
    assert {'ConfigurableDistiller', 'OFDDistiller'} <= set(named['MODELS'])
    assert 'RazorVisualizationHook' in named['HOOKS']
    assert 'EvolutionSearchLoop' in named['LOOPS']


OTHER_WORLD = """
import json, sys
import mmcv
mmcv.__version__ = '2.3.6'
sys.modules['pkg_resources'] = None  # as with setuptools >= 81
import mmvitkd
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.utils import get_installed_path
found = dict(
    adaptations=mmvitkd.ADAPTATIONS,
    mmcv=mmcv.__version__,
    scope=Config.fromfile(sys.argv[1]).default_scope,
    path=get_installed_path('mmpretrain'),
)
print(json.dumps(found))
"""


def test_with_a_newer_mmcv_and_without_pkg_resources(run_code, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmpretrain::_base_/default_runtime.py'\n")
    found = json.loads(run_code(OTHER_WORLD, config))
    # onedl-mmengine does without that module itself.
    is_fork = 'onedl-mmengine' in metadata.packages_distributions()['mmengine']
    wanted = {'mmcv cap'} if is_fork else {'mmcv cap', 'pkg_resources'}
    assert wanted <= set(found['adaptations'])
    assert found['mmcv'] == '2.3.6'
    assert found['scope'] == 'mmpretrain'
    assert found['path'] == os.path.dirname(mmpretrain.__file__)


def test_a_second_time_there_is_nothing_to_do():
    assert torch_patches.patch_torchvision() is False
    assert mmrazor_patches.patch_mmrazor_quantization() is False
    assert mmengine_patches.patch_pkg_resources() is False
    assert mmengine_patches.patch_config_prefix() is False
    with mmrazor_patches.mmrazor_accepts_mmcv() as needed:
        assert needed is False
    assert set(compat.apply()) <= {'DDP notice'}  # a filter, which can be set again
