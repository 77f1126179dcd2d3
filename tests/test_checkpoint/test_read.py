"""Reading checkpoints: nothing is executed, and every error names the file."""

import argparse
import json
import re
import zipfile

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.read import read_checkpoint, student_weights, weights_of

import pytest
import torch
from logged import logged
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


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
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


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (bytes(3000), r'truncated, not a checkpoint, or not pickled as torch\.save does \('),
        (b'state = 3', r'truncated, not a checkpoint, or not pickled as torch\.save does \('),
        (b'<html>404 Not Found</html>', 'it is a web page, not a checkpoint'),
        (b'\n<!DOCTYPE html>\n<html>', 'it is a web page, not a checkpoint'),
        (
            b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a',
            'a git-lfs pointer, n',
        ),
        (b'PK\x03\x04' + bytes(3000), 'it is truncated, such as a download that stopped'),
    ],
)
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_not_a_checkpoint(tmp_path, content, message, suffix):
    (tmp_path / f'file.{suffix}').write_bytes(content)
    with pytest.raises(
        ValueError, match=rf'file\.{suffix}.* bytes\) cannot be read: .*{message}'
    ):
        read_checkpoint(str(tmp_path / f'file.{suffix}'))


def test_compressed_records_are_refused(tmp_path):
    plain, packed = _saved({'a': torch.zeros(1_000_000)}, tmp_path), tmp_path / 'packed.pth'
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(packed, 'w') as new:
        for record in old.infolist():
            new.writestr(record.filename, old.read(record), zipfile.ZIP_DEFLATED)
    assert packed.stat().st_size < 10_000
    with pytest.raises(ValueError, match=r'packed\.pth.*compressed'):
        read_checkpoint(str(packed))


def test_complex_numbers_are_no_weights():
    with pytest.raises(ValueError, match=r"'file\.pth': a: .*complex"):
        weights_of({'a': torch.ones(1, dtype=torch.complex64)}, 'file.pth')


def test_the_config_that_mmengine_would_execute_is_left_out(tmp_path):
    path = _saved(dict(state_dict=WEIGHTS, meta=dict(config='exit()', cfg='a = 1')), tmp_path)
    with logged() as lines:
        assert read_checkpoint(path)['meta'] == dict(cfg='a = 1')
    assert any('file.pth' in line and "meta['config']" in line for line in lines)


@pytest.mark.parametrize('name', ['file.safetensors', 'legacy.pth'])
def test_a_file_without_checksums_is_told_once(name, tmp_path):
    path = tmp_path / name
    if name.endswith('pth'):
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=False)
    else:
        save_file(WEIGHTS, path)
    with logged() as lines:
        read_checkpoint(str(path))
        read_checkpoint(str(path))
    assert len([line for line in lines if 'no checksums' in line and name in line]) == 1


@pytest.mark.parametrize('start', [b' <', b'PK'])
def test_the_length_of_a_safetensors_header_may_look_like_text(tmp_path, start):
    length = int.from_bytes(start + bytes(6), 'little')
    header = json.dumps(
        dict(a=dict(dtype='F32', shape=[2], data_offsets=[0, 8])), separators=(',', ':')
    )
    tensor = torch.tensor([1.0, 2.0])
    path = tmp_path / 'file.safetensors'
    content = header.encode().ljust(length) + tensor.numpy().tobytes()
    path.write_bytes(start + bytes(6) + content)
    assert torch.equal(read_checkpoint(str(path))['a'], tensor)


@pytest.mark.parametrize('share', [0.5, 0.95])
def test_half_of_an_old_file_is_truncated_not_dangerous(tmp_path, share):
    path = tmp_path / 'deit.pth'
    content = dict(args=argparse.Namespace(lr=1.0), model=dict(a=torch.ones(5000)))
    torch.save(content, path, _use_new_zipfile_serialization=False)
    assert read_checkpoint(str(path))['model']['a'].sum() == 5000
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match='truncated') as error:
        read_checkpoint(str(path))
    assert 'execute' not in str(error.value)


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_a_torchscript_program_is_refused(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / 'clip.pt')
    with pytest.raises(ValueError, match=r'TorchScript archive.*program.*state_dict.*timm'):
        read_checkpoint(str(tmp_path / 'clip.pt'))


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = _saved(WEIGHTS, tmp_path)

    def denied(*args):
        raise PermissionError(13, 'Permission denied', path)

    monkeypatch.setattr('builtins.open', denied)
    with pytest.raises(PermissionError, match='Permission denied'):
        read_checkpoint(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='is a folder'):
        read_checkpoint(str(tmp_path))


@pytest.mark.parametrize('content', [[WEIGHTS], torch.ones(3), 'epoch 3'])
def test_not_a_dict(tmp_path, content):
    name = type(content).__name__
    with pytest.raises(ValueError, match=f'holds a {name}, wanted a dict'):
        read_checkpoint(_saved(content, tmp_path))


class Payload:
    """Unpickled the usual way, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return eval, (f"open({str(self.path)!r}, 'w')",)


def test_nothing_is_executed(tmp_path):
    path = _saved(dict(state_dict=WEIGHTS, meta=Payload(tmp_path / 'made')), tmp_path)
    message = (
        rf'load_from={path!r} \(.* bytes\) cannot be read: it holds more .* builtins\.eval\.'
    )
    with pytest.raises(ValueError, match=message):
        read_checkpoint(path, 'load_from')
    assert not (tmp_path / 'made').exists()


# Weights ------------------------------------------------------------------------------


@pytest.mark.parametrize('wrap', [dict, lambda w: dict(state_dict=w), lambda w: dict(model=w)])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_weights_alone_or_in_a_checkpoint(wrap, prefix):
    checkpoint = wrap({prefix + name: value for name, value in WEIGHTS.items()})
    _assert_equal(weights_of(checkpoint, 'file.pth'), WEIGHTS)


def test_a_layer_may_have_the_name_model():
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


def test_the_key_of_the_student_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'^student_ckpt=.*no such file'):
        student_weights(str(tmp_path / 'nowhere.pth'), key='student_ckpt')


@pytest.mark.parametrize('key', ['model_ema', 'state_dict_ema', 'ema'])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_the_average_of_another_training(tmp_path, key, prefix):
    averaged = {prefix + name: value + 1 for name, value in WEIGHTS.items()}
    path = _saved({'model': WEIGHTS, key: averaged, 'args': argparse.Namespace()}, tmp_path)
    _assert_equal(student_weights(path), WEIGHTS)
    _assert_equal(student_weights(path, ema=True), {k: v + 1 for k, v in WEIGHTS.items()})


def test_the_average_of_a_whole_distillation(tmp_path):
    averaged = {f'module.architecture.{name}': value + 1 for name, value in WEIGHTS.items()}
    averaged |= {'module.distiller.a.weight': torch.ones(1), 'steps': torch.tensor(7)}
    path = _saved(_distillation() | dict(ema_state_dict=averaged), tmp_path)
    found = student_weights(path, ema=True)
    _assert_equal(found, {k: v + 1 for k, v in WEIGHTS.items()})


def test_no_average_in_the_file(tmp_path):
    path = _saved(dict(state_dict=WEIGHTS, epoch=3), tmp_path)
    message = r'^ema: .*file\.pth.* holds no EMA weights \(key ema_state_dict or model_ema or '
    with pytest.raises(ValueError, match=message + '.*found the keys state_dict, epoch'):
        student_weights(path, ema=True)
    path = _saved(dict(model=WEIGHTS, model_ema=argparse.Namespace()), tmp_path)
    with pytest.raises(ValueError, match=r'found the keys model, model_ema\.$'):
        student_weights(path, ema=True)
