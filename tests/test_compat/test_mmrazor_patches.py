"""MMRazor: quantisation, newer mmcv, the recursion limit."""

import sys
import types

import mmvitkd
from mmvitkd.compat import mmrazor_patches

import mmcv
import pytest
from mmengine.registry import MODELS


def test_quantisation_raises_where_it_is_used():
    if 'mmrazor quantization' not in mmvitkd.ADAPTATIONS:
        pytest.skip('this MMRazor quantises')
    quantizer = dict(_scope_='mmrazor', type='TensorRTQuantizer', global_qconfig=dict())
    with pytest.raises(ImportError, match=r'cannot quantise .*MMRazor issue 632'):
        MODELS.build(quantizer)


def test_quantisation_that_is_imported_already_is_left_alone(monkeypatch):
    name = 'mmrazor.structures.quantization'
    real = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, real)
    assert mmrazor_patches.patch_mmrazor_quantization() is False
    assert sys.modules[name] is real


@pytest.fixture
def no_mmrazor(monkeypatch):
    monkeypatch.delitem(sys.modules, 'mmrazor')


@pytest.mark.parametrize('version', ['2.2.0', '2.3.6'])
def test_a_newer_mmcv_is_hidden_from_mmrazor(no_mmrazor, monkeypatch, version):
    monkeypatch.setattr(mmcv, '__version__', version)
    with mmrazor_patches.mmrazor_accepts_mmcv() as needed:
        assert needed is True
        assert mmcv.__version__ == '2.1.0'
    assert mmcv.__version__ == version


def test_mmcvs_version_is_restored_after_an_error(no_mmrazor, monkeypatch):
    monkeypatch.setattr(mmcv, '__version__', '2.3.6')
    with pytest.raises(ImportError), mmrazor_patches.mmrazor_accepts_mmcv():
        raise ImportError
    assert mmcv.__version__ == '2.3.6'


@pytest.mark.parametrize('version', ['2.0.0', '2.1.0', '2.1.0+cu130'])
def test_an_mmcv_that_mmrazor_knows_is_shown(no_mmrazor, monkeypatch, version):
    monkeypatch.setattr(mmcv, '__version__', version)
    with mmrazor_patches.mmrazor_accepts_mmcv() as needed:
        assert needed is False
        assert mmcv.__version__ == version


DEEP_JSON = """
import json, sys
sys.setrecursionlimit(2**20)  # as MMRazor does where it was imported before
import mmvitkd
import mmrazor.models.task_modules.tracer.fx_tracer, mmrazor.structures.graph.channel_flow
from mmvitkd.analysis.report.read_report import read_report
from pathlib import Path
Path(sys.argv[1]).write_text('[' * 1_000_000)
try:
    read_report(Path(sys.argv[1]))
except ValueError as error:
    print(sys.getrecursionlimit(), error)
"""


def test_deep_json_is_an_error_even_after_mmrazor(run_code, tmp_path):
    """With MMRazor's recursion limit it kills the process."""
    limit, error = run_code(DEEP_JSON, tmp_path / 'report.json').split(' ', 1)
    assert limit == '1000'
    assert 'report.json: invalid JSON' in error
