"""A torchvision without its compiled part, and a switch that would execute weights."""

import json
import sys

from mmvitkd.compat import torch_patches

import pytest
import torch

UNSAFE_LOAD = """
import os, sys
os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1'
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    import mmvitkd
print([str(w.message) for w in caught if 'TORCH_FORCE' in str(w.message)])
import pickle, torch
class Payload:
    def __reduce__(self):
        return os.mkdir, (sys.argv[1] + '.made',)
torch.save(Payload(), sys.argv[1])
try:
    torch.load(sys.argv[1])  # as other packages call it
except pickle.UnpicklingError:
    print(os.path.exists(sys.argv[1] + '.made'))
"""


def test_no_environment_variable_lets_other_packages_unpickle(run_code, tmp_path):
    warned, made = run_code(UNSAFE_LOAD, tmp_path / 'file.pth').splitlines()
    assert 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD' in warned
    assert made == 'False'


# Its wheel registers fakes of the ops that its compiled part defines, where that loads.
FAKE_TORCHVISION = """
import torch
for op in ('nms', 'qnms'):
    torch.library.register_fake(f'torchvision::{op}')(lambda dets, scores, threshold: dets)
"""

PATCH_TORCHVISION = """
import importlib.util, json, sys
sys.path.insert(0, sys.argv[1])
spec = importlib.util.spec_from_file_location('patches', sys.argv[2])
patches = importlib.util.module_from_spec(spec)
spec.loader.exec_module(patches)
import torch
if sys.argv[3] == 'works':
    schema = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'
    for op in ('nms', 'qnms'):
        torch.library.define(f'torchvision::{op}', schema)
print(json.dumps([patches.patch_torchvision(), patches.patch_torchvision()]))
"""


@pytest.mark.parametrize(('state', 'patched'), [('broken', True), ('works', False)])
def test_torchvision_without_its_ops(run_code, tmp_path, state, patched):
    package = tmp_path / 'torchvision'
    package.mkdir()
    (package / '__init__.py').write_text(FAKE_TORCHVISION)
    found = run_code(PATCH_TORCHVISION, tmp_path, torch_patches.__file__, state)
    assert json.loads(found) == [patched, False]


FAILS_ONCE = """
from pathlib import Path
failed = Path(__file__).with_name('failed')
if not failed.exists():
    failed.touch()
    raise RuntimeError('compiled for another Python')
"""


def test_another_error_of_torchvision_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / 'torchvision').mkdir()
    (tmp_path / 'torchvision' / '__init__.py').write_text(FAILS_ONCE)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [n for n in sys.modules if n.split('.')[0] == 'torchvision']:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(RuntimeError, match='compiled for another Python'):
        torch_patches.patch_torchvision()


def test_torchvision_works_now():
    from torchvision.transforms import functional

    assert functional.hflip(torch.tensor([[1, 2]])).tolist() == [[2, 1]]
