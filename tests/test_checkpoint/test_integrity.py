"""Files sealed with their SHA-256: they load as before, and damage is found."""

import hashlib
import json
import zipfile

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.integrity import DamagedFileError, seal, verify

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

WEIGHTS = {'a': torch.arange(300.0), 'b': torch.ones(2, 3)}
CONTENT = {'state_dict': WEIGHTS, 'meta': {'epoch': 1}}


def _torch(path, content=CONTENT):
    torch.save(content, path)
    return path


def _safetensors(path, metadata=None):
    save_file(WEIGHTS, path, metadata)
    return path


@pytest.fixture(params=['pth', 'safetensors'])
def sealed(request, tmp_path):
    path = tmp_path / f'file.{request.param}'
    (_torch if request.param == 'pth' else _safetensors)(path)
    seal(path)
    return path


def _change(path, at, old, new):
    content = bytearray(path.read_bytes())
    at = content.index(old, at) if at >= 0 else len(content) + at
    content[at : at + len(new)] = new
    path.write_bytes(content)


def test_a_sealed_file_verifies(sealed):
    assert verify(sealed) == 'sha256'


@pytest.mark.parametrize('mmap', [False, True])
def test_a_sealed_pth_loads_as_before(mmap, tmp_path):
    path = _torch(tmp_path / 'a.pth')
    seal(path)
    found = torch.load(path, weights_only=True, mmap=mmap)
    assert found['meta'] == CONTENT['meta']
    assert torch.equal(found['state_dict']['a'], WEIGHTS['a'])
    assert zipfile.ZipFile(path).testzip() is None


def test_a_sealed_pth_is_checked_with_common_tools(tmp_path):
    path = _torch(tmp_path / 'a.pth')
    seal(path)
    content = path.read_bytes()
    assert hashlib.sha256(content[:-64]).hexdigest().encode() == content[-64:]


@pytest.mark.parametrize('metadata', [None, {'format': 'pt', 'name': 'ä "quoted"'}])
def test_a_sealed_safetensors_keeps_tensors_and_metadata(metadata, tmp_path):
    path = _safetensors(tmp_path / 'a.safetensors', metadata)
    seal(path)
    with safe_open(path, 'pt') as file:
        assert {k: v for k, v in file.metadata().items() if k != 'sha256'} == (metadata or {})
    found = load_file(path)
    assert all(torch.equal(found[key], value) for key, value in WEIGHTS.items())


def test_a_changed_weight_is_found(sealed):
    _change(sealed, 0, torch.arange(300.0).numpy().tobytes()[40:60], b'\x7f')
    with pytest.raises(DamagedFileError, match=rf'{sealed.name}.*SHA-256'):
        verify(sealed)


def test_a_changed_digit_is_found(sealed):
    at = sealed.read_bytes().index(b'sha256') + 20
    _change(sealed, at - sealed.stat().st_size, b'', b'~')
    with pytest.raises(DamagedFileError, match='SHA-256'):
        verify(sealed)


def test_a_torch_file_of_another_program_has_crcs(tmp_path):
    path = _torch(tmp_path / 'a.pth')
    assert verify(path) == 'crc32'
    _change(path, 0, torch.arange(300.0).numpy().tobytes()[40:60], b'\x7f')
    with pytest.raises(DamagedFileError, match=r'CRC-32 of a/data/0'):
        verify(path)


@pytest.mark.parametrize('keep', [0.0, 0.5, 0.99])
def test_a_truncated_torch_file_is_found(keep, tmp_path):
    path = _torch(tmp_path / 'a.pth')
    seal(path)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(DamagedFileError, match=f'{path.stat().st_size:,} bytes'):
        verify(path)


def test_files_without_checksums(tmp_path):
    legacy = tmp_path / 'legacy.pth'
    torch.save(CONTENT, legacy, _use_new_zipfile_serialization=False)
    assert verify(legacy) is None
    assert verify(_safetensors(tmp_path / 'a.safetensors')) is None
    enabled = torch.serialization.get_crc32_options()
    try:
        torch.serialization.set_crc32_options(False)
        path = _torch(tmp_path / 'a.pth')
    finally:
        torch.serialization.set_crc32_options(enabled)
    assert verify(path) is None
    seal(path)
    assert verify(path) == 'sha256'


def test_only_files_that_can_be_sealed(tmp_path, sealed):
    (tmp_path / 'x.json').write_text(json.dumps({'a': 1}))
    with pytest.raises(ValueError, match=r'x\.json'):
        seal(tmp_path / 'x.json')
