"""Written checkpoints: plain, compact, in the layout's own form, whole or not at all."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.convert import Converted
from mmvitkd.checkpoint.integrity import verify
from mmvitkd.checkpoint.write import write

import pytest
import torch
from safetensors import safe_open
from torch import nn

LARGE = torch.arange(10_000.0).view(100, 100)
WEIGHTS = {'a': nn.Parameter(torch.ones(3)), 'b': LARGE[0], 'c': LARGE[:, :2].T}
UNUSED = {'base_model.norm.weight': torch.ones(2)}
CONVERTED = Converted('released_lift', 'Lift', WEIGHTS, UNUSED)


def _assert_written(found):
    assert list(found) == list(WEIGHTS)
    for key, value in found.items():
        assert torch.equal(value, WEIGHTS[key])
        assert not value.requires_grad


@pytest.mark.parametrize(
    ('to', 'wrap'),
    [
        ('timm', lambda content: content),
        ('released', lambda content: content['model']),
        ('mmpretrain', lambda content: content['state_dict']),
    ],
)
def test_torchs_format(to, wrap, tmp_path):
    path = tmp_path / 'new' / 'file.pth'
    write(CONVERTED, to, path)
    content = torch.load(path, weights_only=True)
    _assert_written(wrap(content))
    if to == 'mmpretrain':
        assert content.keys() == {'state_dict', 'released_unused'}
        assert list(content['released_unused']) == list(UNUSED)
    assert path.stat().st_size < 10_000
    assert list(path.parent.iterdir()) == [path]


def test_no_key_for_unused_weights_without_any(tmp_path):
    write(CONVERTED._replace(unused={}), 'mmpretrain', tmp_path / 'file.pth')
    assert torch.load(tmp_path / 'file.pth', weights_only=True).keys() == {'state_dict'}


@pytest.mark.parametrize('to', ['timm', 'released', 'mmpretrain'])
def test_safetensors(to, tmp_path):
    path = tmp_path / 'file.safetensors'
    write(CONVERTED, to, path)
    with safe_open(path, 'pt') as file:
        assert file.metadata()['format'] == 'pt'
        _assert_written({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_the_file_is_sealed(suffix, tmp_path):
    write(CONVERTED, 'timm', tmp_path / f'file{suffix}')
    assert verify(tmp_path / f'file{suffix}') == 'sha256'


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_a_failed_write_keeps_the_old_file(suffix, tmp_path, monkeypatch):
    path = tmp_path / f'file{suffix}'
    path.write_text('old')

    def full(file):
        raise OSError('No space left on device')

    monkeypatch.setattr('os.fsync', full)
    with pytest.raises(OSError, match='No space'):
        write(CONVERTED, 'timm', path)
    assert path.read_text() == 'old'
    assert list(Path(tmp_path).iterdir()) == [path]
