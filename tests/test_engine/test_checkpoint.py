"""Reading checkpoints: nothing is executed, and every error names the file."""

import pickle
import re
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.engine.checkpoint import read_checkpoint, student_weights, weights_of

import pytest
import torch
from safetensors.torch import save_file

WEIGHTS = {'fc.weight': torch.arange(4000.0).view(40, 100), 'fc.bias': torch.ones(40)}


def _saved(content, folder, name='file.pth') -> str:
    torch.save(content, folder / name)
    return str(folder / name)


def _assert_equal(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name


# Reading ------------------------------------------------------------------------------


def test_reads_what_torch_saved(tmp_path):
    checkpoint = read_checkpoint(_saved(dict(state_dict=WEIGHTS, meta={}), tmp_path))
    assert checkpoint.keys() == {'state_dict', 'meta'}
    _assert_equal(checkpoint['state_dict'], WEIGHTS)


def test_reads_safetensors(tmp_path):
    save_file(WEIGHTS, tmp_path / 'file.safetensors')
    _assert_equal(read_checkpoint(str(tmp_path / 'file.safetensors')), WEIGHTS)


def test_a_missing_file_is_named_with_its_key(tmp_path):
    path = str(tmp_path / 'nowhere.pth')
    with pytest.raises(FileNotFoundError) as error:
        read_checkpoint(path, 'load_from')
    assert str(error.value) == f'load_from={path!r}: there is no such file.'


def test_the_home_folder_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    _saved(WEIGHTS, tmp_path)
    _assert_equal(read_checkpoint('~/file.pth'), WEIGHTS)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
@pytest.mark.parametrize('share', [0, 0.3, 0.99])
def test_a_truncated_file(tmp_path, suffix, share):
    path = tmp_path / f'file{suffix}'
    (torch.save if suffix == '.pth' else save_file)(WEIGHTS, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    message = f'load_from={str(path)!r} ({int(share * len(content)):,} bytes) cannot be read'
    with pytest.raises(ValueError, match=re.escape(message) + '.*truncated'):
        read_checkpoint(str(path), 'load_from')


@pytest.mark.parametrize('content', [b'<html>404 Not Found</html>', bytes(3000)])
def test_not_a_checkpoint(tmp_path, content):
    (tmp_path / 'file.pth').write_bytes(content)
    with pytest.raises(ValueError, match=r'file\.pth.*not a checkpoint'):
        read_checkpoint(str(tmp_path / 'file.pth'))


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_checkpoint(str(tmp_path))


@pytest.mark.parametrize('content', [[WEIGHTS], torch.ones(3), 'epoch 3'])
def test_not_a_dict(tmp_path, content):
    name = type(content).__name__
    with pytest.raises(ValueError, match=f'holds a {name}, wanted a dict'):
        read_checkpoint(_saved(content, tmp_path))


class Malicious:
    """Unpickled the usual way, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize('by', ['torch', 'pickle'])
def test_nothing_is_executed(tmp_path, by):
    made, path = tmp_path / 'made', tmp_path / 'file.pth'
    content = dict(state_dict=WEIGHTS, meta=Malicious(made))
    if by == 'torch':
        torch.save(content, path)
        torch.load(path, weights_only=False)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
        pickle.loads(path.read_bytes())
    assert made.exists()  # it does work
    made.unlink()
    with pytest.raises(ValueError, match='more than tensors'):
        read_checkpoint(str(path))
    assert not made.exists()


# Weights ------------------------------------------------------------------------------


@pytest.mark.parametrize('wrap', [dict, lambda w: dict(state_dict=w), lambda w: dict(model=w)])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_weights_alone_or_in_a_checkpoint(wrap, prefix):
    checkpoint = wrap({prefix + name: value for name, value in WEIGHTS.items()})
    _assert_equal(weights_of(checkpoint, 'file.pth'), WEIGHTS)


def test_a_layer_may_be_called_model():
    weights = {'model.fc.weight': torch.ones(2), 'state_dict.bias': torch.zeros(1)}
    _assert_equal(weights_of(weights, 'file.pth'), weights)


@pytest.mark.parametrize(
    ('checkpoint', 'keys'),
    [
        (dict(epoch=3, optimizer={}), 'epoch, optimizer'),
        (dict(state_dict={}), ''),
        (dict(state_dict=dict(fc=[1, 2])), 'fc'),
        ({0: 'cat', 1: 'dog'}, '0, 1'),
        ({}, ''),
    ],
)
def test_no_weights(checkpoint, keys):
    with pytest.raises(ValueError) as error:
        weights_of(checkpoint, 'file.pth')
    assert "'file.pth' holds no weights" in str(error.value)
    assert str(error.value).endswith(f'found the keys {keys}.')


def _distillation():
    """As our hooks save it: the student is the algorithm's architecture."""
    return dict(
        state_dict={f'architecture.{k}': v for k, v in WEIGHTS.items()}
        | {'distiller.connectors.a.weight': torch.ones(2)},
        ema_state_dict={f'module.{k}': v + 1 for k, v in WEIGHTS.items()}
        | {'steps': torch.tensor(7)},
    )


def test_the_student_of_a_distillation(tmp_path):
    _assert_equal(student_weights(_saved(_distillation(), tmp_path)), WEIGHTS)


def test_the_averaged_student(tmp_path):
    found = student_weights(_saved(_distillation(), tmp_path), ema=True)
    _assert_equal(found, {k: v + 1 for k, v in WEIGHTS.items()})


@pytest.mark.parametrize('wrap', [dict, lambda w: dict(state_dict=w)])
def test_the_student_alone(tmp_path, wrap):
    _assert_equal(student_weights(_saved(wrap(WEIGHTS), tmp_path)), WEIGHTS)


def test_no_average_in_the_file(tmp_path):
    path = _saved(dict(state_dict=WEIGHTS), tmp_path)
    with pytest.raises(ValueError, match=r'--ema: .*file\.pth.* holds no EMA weights'):
        student_weights(path, ema=True)
