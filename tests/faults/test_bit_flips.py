"""Flip bits in what we write, and cut it short: found on loading, or the same tensors."""

import random

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.checksums import SUMS
from mmvitkd.checkpoint.converters.convert import Converted
from mmvitkd.checkpoint.integrity import verify
from mmvitkd.checkpoint.read import read_checkpoint, weights_of
from mmvitkd.checkpoint.write import write
from mmvitkd.export.export_student import export_student

import pytest
import torch
from toy_students import save_training, training

FLIPS, CUTS = 100, 30
WEIGHTS = {
    'a.weight': torch.randn(40, 30),
    'a.bias': torch.zeros(40),
    'index': torch.arange(50),
}


def _written(path):
    """Write the weights as our tools do, sealed."""
    write(Converted('mmpretrain', 'ViT', WEIGHTS, {}), 'mmpretrain', path)
    return path


def _flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _is_found(path):
    """Return whether loading refuses a file; else its tensors must be the same."""
    try:
        found = weights_of(read_checkpoint(str(path)), str(path))
    except ValueError as error:
        assert path.name in str(error)
        return True
    assert found.keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value)
    return False


def _harmless(path, bits):
    """Flip each bit alone; return the places of those that loading does not refuse."""
    whole = path.read_bytes()
    harmless = []
    for bit in bits:
        path.write_bytes(_flipped(whole, bit))
        if not _is_found(path):
            harmless.append(bit // 8)
    path.write_bytes(whole)
    return harmless


def _sample(start, end, seed=0):
    """Draw bits of the bytes from start to end."""
    return random.Random(seed).sample(range(8 * start, 8 * end), FLIPS)


@pytest.mark.parametrize('name', ['a.pth', 'a.safetensors'])
def test_flipped_bits_anywhere(name, tmp_path):
    path = _written(tmp_path / name)
    assert _harmless(path, _sample(0, path.stat().st_size)) == []


@pytest.mark.parametrize(
    ('name', 'entry'), [('a.pth', ''), ('a.safetensors', '"sha256":"')], ids=['pth', 'st']
)
def test_every_flipped_bit_of_the_seal(name, entry, tmp_path):
    """In a safetensors file, the name of the entry may change: the tensors are whole."""
    path = _written(tmp_path / name)
    whole = path.read_bytes()
    at = whole.index(b'"sha256":"' if entry else b'mmvitkd sha256=')
    end = min(at + 15 + 64, len(whole))
    harmless = _harmless(path, range(8 * at, 8 * end))
    assert set(harmless) <= set(range(at, at + len(entry)))


def test_flipped_bits_in_a_file_of_another_program(tmp_path):
    """torch.save's own CRCs cover all tensors; the rest is dates, padding and the like."""
    path = tmp_path / 'a.pth'
    torch.save({'state_dict': WEIGHTS}, path)
    whole = path.read_bytes()
    for value in WEIGHTS.values():
        start = whole.index(value.numpy().tobytes())
        assert _harmless(path, _sample(start, start + value.nbytes)) == []
    _harmless(path, _sample(0, len(whole)))


@pytest.mark.parametrize('name', ['a.pth', 'a.safetensors'])
def test_files_cut_short(name, tmp_path):
    path = _written(tmp_path / name)
    whole = path.read_bytes()
    for length in [0, 1, len(whole) - 1, *random.Random(0).sample(range(len(whole)), CUTS)]:
        path.write_bytes(whole[:length])
        assert _is_found(path), length


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """The folder of an export."""
    folder, cfg = tmp_path_factory.mktemp('export'), training('ours')
    save_training(cfg, folder / 'training.pth')
    cfg.dump(folder / 'training.py')
    files = (str(folder / f'training.{suffix}') for suffix in ('py', 'pth'))
    export_student(*files, folder / 'student', formats=['mmpretrain', 'timm'])
    return folder / 'student'


def test_flipped_bits_in_an_export(exported):
    names = sorted(p for p in exported.rglob('*') if p.is_file() and p.name != SUMS)
    assert len(names) == 5
    drawn = random.Random(0)
    for path in drawn.choices(names, k=FLIPS):
        whole = path.read_bytes()
        path.write_bytes(_flipped(whole, drawn.randrange(8 * len(whole))))
        with pytest.raises(ValueError, match=path.name):
            verify(path)
        path.write_bytes(whole)


def test_flipped_bits_in_the_checksums_of_an_export(exported):
    """A file is refused, or verified by the digest in it."""
    sums, refused = exported / SUMS, 0
    whole = sums.read_bytes()
    for bit in _sample(0, len(whole)):
        sums.write_bytes(_flipped(whole, bit))
        for name in ('student.pth', 'timm/model.safetensors'):
            try:
                assert verify(exported / name) == 'sha256'
            except ValueError:
                refused += 1
    sums.write_bytes(whole)
    assert refused
