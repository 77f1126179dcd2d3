"""Fixtures of all tests: the default scope of our configs, a seed, an installed wheel."""

import os
import sys
from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
import torch
from mmengine.config import config as config_module
from mmengine.registry import DefaultScope

sys.path.insert(0, str(Path(__file__).parent))  # for `import toy`

import wheels

# One thread for each process, and for those that tests start: there is one for each core.
os.environ['OMP_NUM_THREADS'] = '1'
os.environ['MLFLOW_DISABLE_TELEMETRY'] = 'true'
torch.set_num_threads(1)
# The first backward starts a thread for each device; processes that are forked later cannot run
# one. Without a GPU there is none, but in a CUDA build of torch 2.14 after an export to ONNX.
torch.ones((), requires_grad=True).backward()

TESTS = Path(__file__).parent
# What `make test-fast` leaves out: these start processes, compile, export, build the wheel or
# train. They run first, so that no process has a long one at the end.
SLOW = (
    'test_tutorial.py',
    'test_examples.py',
    'test_python_document.py',
    'test_tools',
    'test_packaging.py',
    'test_compat',
    'test_registry.py',
    'test_configs.py',
    'test_metafile.py',
    'test_benchmarks',
    'test_analysis/test_measures/test_one_more_measure.py',
    'test_datasets/test_annotation_file.py',
    'test_datasets/test_seeded_samples.py',
    'faults',
    'test_engine/test_runner/test_fill_cache.py',
    'test_engine/test_runner/test_open_teacher_cache.py',
    'test_engine/test_runner/test_runner.py',
    'test_engine/test_hooks/test_random_state_hook.py',
    'test_engine/test_hooks/test_preemption_hook.py',
    'test_engine/test_hooks/test_sep_hook.py',
    'test_engine/test_hooks/test_teacher_cache_hook.py',
    'test_engine/test_hooks/test_watchdog_hook.py',
    'test_export/test_compact_files.py',
    'test_export/test_compact_onnx.py',
    'test_export/test_encoder_snippets.py',
    'test_export/test_onnx_file.py',
    'test_export/test_program_file.py',
    'test_export/test_snippets.py',
    'test_models/test_algorithms/test_fast_path.py',
    'test_models/test_algorithms/test_projector.py',
    'test_models/test_teachers/test_cached_teacher.py',
    'test_models/test_utils/test_compilation.py',
)

# What tests the text of configs, which is formatted for it.
FORMATTED = {'test_config', 'test_export_student.py'}

# What `make test-matrix` runs with other versions: what touches torch, timm, numpy or MMEngine.
CORE = (
    'test_compat',
    'test_analysis/test_features/test_extractor.py',
    'test_analysis/test_functional/test_channel_spectrum.py',
    'test_apis/test_hub_student.py',
    'test_checkpoint/test_load_strict.py',
    'test_checkpoint/test_safe_load.py',
    'test_checkpoint/test_serialize.py',
    'test_checkpoint/test_converters/test_transformers_keys.py',
    'test_config/test_schema/test_arguments.py',
    'test_config/test_shortcuts.py',
    'test_datasets/test_transforms/test_load_image.py',
    'test_engine/test_hooks/test_checkpoint_hook.py',
    'test_engine/test_hooks/test_random_state_hook.py',
    'test_engine/test_optimizers',
    'test_engine/test_runner/test_loops.py',
    'test_engine/test_runner/test_resume.py',
    'test_engine/test_runner/test_start_from.py',
    'test_export/test_mmpretrain_files.py',
    'test_export/test_onnx_file.py',
    'test_export/test_program_file.py',
    'test_export/test_timm_folder.py',
    'test_models/test_algorithms/test_fast_path.py',
    'test_models/test_algorithms/test_feature_distill.py',
    'test_models/test_algorithms/test_label_free.py',
    'test_models/test_backbones',
    'test_models/test_losses',
    'test_models/test_necks',
    'test_models/test_teachers/test_kinds.py',
    'test_models/test_teachers/test_teacher.py',
    'test_models/test_utils/test_compilation.py',
    'test_utils/test_errors.py',
)


def pytest_addoption(parser):
    """Add the long form of tests/faults."""
    parser.addoption(
        '--all-faults', action='store_true', help='break every file operation, not a sample'
    )


def pytest_ignore_collect(collection_path, config):
    """Leave out all but the core for `-m core`: other files import packages of their own."""
    is_test = collection_path.name.startswith('test_') and collection_path.suffix == '.py'
    if config.option.markexpr == 'core' and is_test and not _is_in(collection_path, CORE):
        return True
    return None


def _is_in(path, paths):
    return any(path.is_relative_to(TESTS / part) for part in paths)


def pytest_collection_modifyitems(items):
    """Mark the slow tests and the core; run the slow ones first. Projects mark their own."""
    for item in items:
        for mark, paths in (('slow', SLOW), ('core', CORE)):
            if _is_in(item.path, paths):
                item.add_marker(mark)
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)


@pytest.fixture(autouse=True)
def scope():
    """Build types without a prefix as MMPretrain's, and start from the same seed."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


@pytest.fixture(autouse=True)
def unformatted(request, monkeypatch):
    """Write configs as MMEngine writes them, without half a second of yapf for each."""
    if not FORMATTED.intersection(request.path.parts):
        monkeypatch.setattr(config_module, 'FormatCode', lambda text, **options: (text, False))


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
