"""timm's loading of weights, old and new."""

from importlib import metadata

from mmvitkd.compat import timm_patches

import torch
from safetensors.torch import save_file
from timm.models import _builder, _hub


def test_an_older_timm_loads_weights_alone(monkeypatch):
    def load_state_dict_from_hf(model_id, filename='x', weights_only=False, cache_dir=None):
        return model_id, filename, weights_only, cache_dir

    monkeypatch.setattr(_hub, 'load_state_dict_from_hf', load_state_dict_from_hf)
    assert timm_patches.patch_timm_unpickling()
    assert load_state_dict_from_hf('a') == ('a', 'x', True, None)
    assert load_state_dict_from_hf('a', weights_only=False) == ('a', 'x', False, None)
    assert not timm_patches.patch_timm_unpickling()


TIMM_WITHOUT_HUB = """
import mmvitkd
from mmvitkd.compat import timm_patches
import huggingface_hub
from timm.models import _builder, _hub
name, lazy = 'repo_type_and_id_from_hf_id', huggingface_hub.__getattr__
def without(wanted):
    if wanted == name:
        raise AttributeError(wanted)
    return lazy(wanted)
huggingface_hub.__getattr__ = without
huggingface_hub.__dict__.pop(name, None)
_hub._has_hf_hub, _hub.hf_hub_download = False, None  # as after a failed import
print(timm_patches.patch_timm_hub(), _builder.has_hf_hub(), timm_patches.patch_timm_hub())
print(_hub.hf_hub_download is not None)
"""


def test_a_timm_that_takes_a_new_hub_for_missing(run_code):
    found = run_code(TIMM_WITHOUT_HUB)
    assert found.split() == ['True', 'True', 'False', 'True']


def test_an_older_timm_reads_safetensors_of_a_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(metadata, 'version', lambda name: '1.0.25')
    monkeypatch.setattr(_builder, 'load_state_dict_from_path', lambda path, **_: 'pickled')
    assert timm_patches.patch_timm_local_dir()
    assert not timm_patches.patch_timm_local_dir()
    assert _builder.load_state_dict_from_path(tmp_path, weights_only=True) == 'pickled'
    save_file({'a': torch.ones(2)}, tmp_path / 'model.safetensors')
    found = _builder.load_state_dict_from_path(tmp_path, weights_only=True)
    assert found['a'].tolist() == [1, 1]


def test_a_newer_timm_reads_it_by_itself(monkeypatch):
    monkeypatch.setattr(metadata, 'version', lambda name: '1.0.26')
    assert not timm_patches.patch_timm_local_dir()
