"""convert_checkpoint: round trips of files, what it prints, what it refuses."""

import re
import sys
from importlib import import_module
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.load_strict import load_student
from mmvitkd.checkpoint.read import read_checkpoint

import pytest
import timm
import torch
from mmpretrain.registry import MODELS
from released_models import ARCH, CLASSES, DIM, SIZE, STUDENTS, released, training_checkpoint
from safetensors.torch import load_file, save_file
from transformers_models import DEPTH, HEADS, PATCH, WIDTH, export_onnx, write_onnx

TIMM = dict(embed_dim=DIM, depth=3, num_heads=2, num_classes=CLASSES, **SIZE)
DINO = dict(img_size=16, patch_size=PATCH, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS)
PLAIN = dict(
    type='ImageClassifier',
    backbone=dict(type='VisionTransformer', arch=ARCH, **SIZE),
    head=dict(type='VisionTransformerClsHead', num_classes=CLASSES, in_channels=DIM),
)
DISTILLED = dict(
    type='ImageClassifier',
    backbone=dict(type='DistilledVisionTransformer', arch=ARCH, **SIZE),
    head=dict(type='DeiTClsHead', num_classes=CLASSES, in_channels=DIM),
)


@pytest.fixture
def convert(monkeypatch, tmp_path, capsys):
    """Run the tool in a folder of its own; gives what it printed."""
    tool = import_module('tool_modules').load_tool('model_converters/convert_checkpoint')

    def run(*args) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, 'argv', ['convert_checkpoint', *map(str, args)])
        tool.main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def refused(convert, tmp_path):
    """Run the tool on what it refuses; gives the message."""

    def run(*args) -> str:
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(SystemExit) as error:
            convert(*args)
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
        return str(error.value)

    return run


def _assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def _student(cfg, path):
    student = MODELS.build(cfg)
    load_student(student, str(path))
    student.eval()
    return student


# There and back -----------------------------------------------------------------------


@pytest.mark.parametrize('ema', [False, True])
@pytest.mark.parametrize('name', STUDENTS)
def test_a_released_checkpoint(name, ema, convert, tmp_path):
    model = released(name)
    checkpoint = training_checkpoint(model)
    torch.save(checkpoint, tmp_path / 'released.pth')
    convert('released.pth', 'ours.pth', '--to', 'mmpretrain', *['--ema'] * ema)
    weights = checkpoint['model_ema' if ema else 'model']
    assert torch.equal(weights['head.bias'], model.state_dict()['head.bias']) != ema
    model.load_state_dict(weights)
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        found = _student(STUDENTS[name], tmp_path / 'ours.pth')(images)
        torch.testing.assert_close(found, model(images), atol=1e-5, rtol=1e-5)
    convert('ours.pth', 'back.pth', '--to', 'released')
    back = torch.load(tmp_path / 'back.pth', weights_only=True)
    assert back.keys() == {'model'}
    assert list(back['model']) == list(weights)
    _assert_same(back['model'], weights)


@pytest.mark.parametrize('key', ['model', 'state_dict', 'alone', 'safetensors'])
@pytest.mark.parametrize(
    ('name', 'cfg'),
    [('deit_tiny_patch16_224', PLAIN), ('deit_tiny_distilled_patch16_224', DISTILLED)],
)
def test_a_timm_checkpoint(name, cfg, key, convert, tmp_path):
    model = timm.create_model(name, **TIMM).eval()
    weights = model.state_dict()
    suffix = '.safetensors' if key == 'safetensors' else '.pth'
    if key == 'safetensors':
        save_file(weights, tmp_path / 'timm.safetensors')
    else:
        torch.save(weights if key == 'alone' else {key: weights}, tmp_path / 'timm.pth')
    convert(f'timm{suffix}', f'ours{suffix}', '--to', 'mmpretrain')
    student = _student(cfg, tmp_path / f'ours{suffix}')
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        found = student(images)
        found = sum(found) / 2 if isinstance(found, tuple) else found
        torch.testing.assert_close(found, model(images), atol=1e-5, rtol=1e-5)
    convert(f'ours{suffix}', 'back.pth', '--to', 'timm')
    _assert_same(torch.load(tmp_path / 'back.pth', weights_only=True), weights)


@pytest.mark.parametrize('ema', [False, True])
def test_the_student_of_a_distillation(ema, convert, tmp_path):
    weights = MODELS.build(STUDENTS['widelast']).state_dict()
    averaged = {key: value + 1 for key, value in weights.items()}
    checkpoint = dict(
        state_dict={f'architecture.{key}': value for key, value in weights.items()}
        | {'distiller.connectors.a.weight': torch.ones(2)},
        ema_state_dict={f'module.{key}': value for key, value in averaged.items()}
        | {'steps': torch.tensor(7)},
    )
    torch.save(checkpoint, tmp_path / 'epoch_1.pth')
    convert('epoch_1.pth', 'released.pth', '--to', 'released', *['--ema'] * ema)
    convert('released.pth', 'ours.safetensors', '--to', 'mmpretrain')
    _assert_same(load_file(tmp_path / 'ours.safetensors'), averaged if ema else weights)


# What it prints -----------------------------------------------------------------------


def test_the_printed_summary(convert, tmp_path):
    weights = released('lift').state_dict()
    torch.save(dict(model=weights), tmp_path / 'a.pth')
    used = {k: v for k, v in weights.items() if not re.match(r'base_model\.(norm|head)', k)}
    numbers = [sum(v.numel() for v in w.values()) for w in (weights, used)]
    printed = convert('a.pth', 'b.pth', '--to', 'mmpretrain').splitlines()
    assert printed[0] == (
        'a.pth: weights of a Lift in the layout released_lift, '
        f'{len(weights)} tensors, {numbers[0]:,} parameters'
    )
    assert re.match(r'base_model\.norm\.weight, .*kept .*, under released_unused', printed[1])
    assert printed[2:] == [
        f'b.pth: the layout mmpretrain, {len(used)} tensors, {numbers[1]:,} parameters'
    ]
    assert 'filled' not in convert('b.pth', 'c.pth', '--to', 'released')
    assert 'left out: safetensors' in convert('a.pth', 'd.safetensors', '--to', 'mmpretrain')
    assert 'filled with 1 and 0' in convert('d.safetensors', 'e.pth', '--to', 'released')
    filled = torch.load(tmp_path / 'e.pth', weights_only=True)['model']
    assert filled.keys() == weights.keys()
    assert all(torch.equal(filled[key], value) for key, value in used.items())
    assert (filled['base_model.norm.weight'] == 1).all()
    assert not filled['base_model.head.weight'].any()


# What it refuses ----------------------------------------------------------------------


@pytest.fixture
def deit(tmp_path):
    """The weights of a small DeiT, saved as deit.pth."""
    weights = timm.create_model('deit_tiny_patch16_224', **TIMM).state_dict()
    torch.save(dict(model=weights, epoch=3), tmp_path / 'deit.pth')
    return weights


def test_a_target_that_exists(deit, convert, refused, tmp_path):
    (tmp_path / 'ours.pth').write_text('precious')
    found = refused('deit.pth', 'ours.pth', '--to', 'mmpretrain')
    assert found == 'convert_checkpoint: ours.pth exists; --overwrite replaces it.'
    convert('deit.pth', 'ours.pth', '--to', 'mmpretrain', '--overwrite')
    assert len(read_checkpoint(str(tmp_path / 'ours.pth'))['state_dict']) == len(deit)


@pytest.mark.parametrize(
    ('to', 'message'),
    [
        ('timm', r"'deit\.pth': the weights are in the layout timm already\."),
        ('released', r"'deit\.pth': this is a ViT, .* Lift or WideLast"),
    ],
)
def test_unsupported_layouts(to, message, deit, refused):
    assert re.match(f'convert_checkpoint: {message}', refused('deit.pth', 'b.pth', '--to', to))


def test_no_ema_weights(deit, refused):
    found = refused('deit.pth', 'b.pth', '--to', 'mmpretrain', '--ema')
    assert re.search(r'holds no EMA weights .*model_ema.*; found the keys model, epoch', found)


def test_missing_and_unknown_keys(deit, refused, tmp_path):
    norm = deit.pop('blocks.1.norm2.bias')
    torch.save(deit, tmp_path / 'deit.pth')
    found = refused('deit.pth', 'b.pth', '--to', 'mmpretrain')
    assert found.endswith("'deit.pth': 1 keys are missing: blocks.1.norm2.bias.")
    torch.save(deit | {'blocks.1.norm3.bias': norm}, tmp_path / 'deit.pth')
    assert ' 1 of 44 keys are unknown: blocks.1.norm3.bias. ' in refused(
        'deit.pth', 'b.pth', '--to', 'mmpretrain'
    )


def test_another_architecture(refused, tmp_path):
    torch.save(dict(model={'conv1.weight': torch.ones(1)}), tmp_path / 'resnet.pth')
    found = refused('resnet.pth', 'b.pth', '--to', 'mmpretrain')
    assert found.startswith("convert_checkpoint: 'resnet.pth': These are not a Vision Transf")
    assert 'conv1.weight' in found


def test_a_missing_or_truncated_file(deit, refused, tmp_path):
    assert "SOURCE='no.pth': there is no such" in refused('no.pth', 'b.pth', '--to', 'timm')
    content = (tmp_path / 'deit.pth').read_bytes()
    (tmp_path / 'deit.pth').write_bytes(content[: len(content) // 2])
    found = refused('deit.pth', 'b.pth', '--to', 'mmpretrain')
    assert re.search(r"SOURCE='deit\.pth' \(.* bytes\) cannot be read: it is truncated", found)


class Payload:
    """Unpickled the usual way, it makes a file."""

    def __reduce__(self):
        return eval, ("open('made', 'w')",)


def test_a_file_that_would_run_code(deit, refused, tmp_path):
    torch.save(dict(model=deit, args=Payload()), tmp_path / 'evil.pth')
    assert 'builtins.eval' in refused('evil.pth', 'b.pth', '--to', 'mmpretrain')
    assert not Path('made').exists()


# From ONNX ----------------------------------------------------------------------------


@pytest.mark.parametrize('dynamo', [False, True])
def test_an_onnx_file_is_checked_and_converted(dynamo, convert, tmp_path):
    model = write_onnx(tmp_path / 'dino.onnx', dynamo=dynamo)
    printed = convert('dino.onnx', 'dino.safetensors', '--to', 'timm')
    assert re.search(r'left out, .*: decoder\.(bias, decoder\.weight)?', printed)
    assert re.search(r'tokens within \S+ of those of onnxruntime, .* 2 heads', printed)
    found = timm.create_model('vit_small_patch14_dinov2', **DINO).eval()
    found.load_state_dict(load_file(tmp_path / 'dino.safetensors'), strict=True)
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        wanted = model.backbone(images)
        torch.testing.assert_close(found.forward_features(images), wanted, atol=1e-4, rtol=0)


def test_an_onnx_file_whose_tokens_differ_is_refused(refused, monkeypatch, tmp_path):
    write_onnx(tmp_path / 'dino.onnx')
    monkeypatch.setattr('mmvitkd.checkpoint.onnx_parity.TOLERANCE', 0.0)
    message = refused('dino.onnx', 'dino.pth', '--to', 'mmpretrain')
    assert re.search(r'dino\.onnx.* tokens differ by', message)


def test_an_onnx_file_of_no_vit_is_refused(refused, tmp_path):
    layer = torch.nn.Linear(2, 2)
    export_onnx(layer, torch.zeros(1, 2), tmp_path / 'x.onnx', dynamo=False)
    message = refused('x.onnx', 'x.pth', '--to', 'timm')
    assert re.search(r"x\.onnx.*not a Vision Transformer's weights", message)
