"""A device exists, or the error names the option."""

import mmvitkd  # noqa: F401
from mmvitkd.utils.devices import device_of

import pytest
import torch


@pytest.mark.parametrize('gpus', [True, False])
def test_without_a_name_it_is_a_gpu_if_there_is_any(monkeypatch, gpus):
    tried = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpus)
    monkeypatch.setattr(torch, 'empty', lambda size, device: tried.append(device))
    assert [device_of(None)] == tried == ['cuda' if gpus else 'cpu']


def test_a_device_that_is_there():
    assert device_of('cpu') == 'cpu'


@pytest.mark.parametrize('name', ['gpu', 'cuda:99', 'mps:5'])
def test_a_device_that_is_not_there(name):
    with pytest.raises(ValueError, match=f"^--device: '{name}': ") as error:
        device_of(name)
    assert '\n' not in str(error.value)
