"""The student as ONNX. Exporting takes seconds, so one export serves several checks."""

import importlib.util
import json

import mmvitkd  # noqa: F401
from mmvitkd.export import onnx_file
from mmvitkd.export.onnx_file import write_onnx
from mmvitkd.export.student import FormatUnavailableError

import numpy as np
import pytest
import torch
from toy import MEAN, STD

onnx = pytest.importorskip('onnx')
ort = pytest.importorskip('onnxruntime')


def test_one_file_for_any_batch_size_with_its_metadata(tmp_path, read, capfd):
    student = read('lift')
    file = tmp_path / 'student.onnx'
    capfd.readouterr()
    write_onnx(student, file)
    assert capfd.readouterr() == ('', '')
    assert [p.name for p in tmp_path.iterdir() if p.suffix != '.pth'] == ['student.onnx']

    session = ort.InferenceSession(str(file), providers=['CPUExecutionProvider'])
    for batch_size in (1, 2, 5):
        images = torch.randn(batch_size, 3, 32, 32)
        with torch.no_grad():
            wanted = student.model(images).numpy()
        (found,) = session.run(['logits'], {'images': images.numpy()})
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
    assert wanted.std() > 0.1

    about = {k: json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items()}
    assert about == dict(
        mean=MEAN,
        std=STD,
        input_size=[32, 32],
        channel_order='RGB',
        interpolation='bicubic',
        crop_pct=0.8,
        crop_mode='center',
        classes=['ant', 'bee', 'cat', 'dog', 'elk'],
    )
    # What the exporter notes about itself names files of this machine.
    onnx.checker.check_model(str(file))
    for trace in (b'.py', b'File "', b'architecture', b'optim', b'pkg.'):
        assert trace not in file.read_bytes()


@pytest.mark.parametrize('kind', ['ours', 'lift', 'widelast', 'swin'])
def test_without_a_head_it_gives_the_embedding_and_the_features(tmp_path, read, kind):
    student = read(kind, labels=False)
    file = tmp_path / 'student.onnx'
    write_onnx(student, file)
    session = ort.InferenceSession(str(file), providers=['CPUExecutionProvider'])
    for batch_size in (1, 2, 5):
        images = torch.randn(batch_size, 3, 32, 32)
        with torch.no_grad():
            wanted = student.model(images)
        found = session.run(['embedding', 'features'], {'images': images.numpy()})
        for one, two in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, two.numpy(), rtol=0, atol=1e-4)
    about = session.get_modelmeta().custom_metadata_map
    assert 'classes' not in about and json.loads(about['mean']) == MEAN
    assert kind == 'swin' or json.loads(about['grid']) == [4, 4]
    for trace in (b'teacher', b'distiller', b'connector', b'loss', b'head.', b'logits'):
        assert trace not in file.read_bytes()


def test_swin_gives_the_same_logits(tmp_path, read):
    student = read('swin_widelast')
    write_onnx(student, tmp_path / 'student.onnx')
    session = ort.InferenceSession(str(tmp_path / 'student.onnx'))
    images = torch.randn(6, 3, 32, 32)
    with torch.no_grad():
        wanted = student.model(images).numpy()
    (found,) = session.run(None, {'images': images.numpy()})
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert wanted.std() > 0.1


def test_a_missing_package_is_named_with_its_pip_line(tmp_path, monkeypatch, read):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name, *rest: None if name == 'onnxscript' else find(name, *rest),
    )
    with pytest.raises(FormatUnavailableError, match=r'onnxscript is not .*mmvitkd\[onnx\]'):
        write_onnx(read('lift'), tmp_path / 'student.onnx')


def test_a_model_that_torch_cannot_export_is_refused(tmp_path, monkeypatch, read):
    def fail(*args, **kwargs):
        raise RuntimeError('no such operator\nand a long trace')

    monkeypatch.setattr(onnx_file.torch.onnx, 'export', fail)
    message = r'cannot export this ImageClassifier: RuntimeError: no such operator$'
    with pytest.raises(FormatUnavailableError, match=message):
        write_onnx(read('lift'), tmp_path / 'student.onnx')
