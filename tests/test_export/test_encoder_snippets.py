"""The snippets of an encoder's card, against `embed`."""

import re

import mmvitkd  # noqa: F401
from mmvitkd.apis import embed, load_student
from mmvitkd.export.encoder_snippets import encoder_usage
from mmvitkd.export.mmpretrain_files import write_mmpretrain
from mmvitkd.export.onnx_file import write_onnx
from mmvitkd.export.timm_folder import write_timm

import numpy as np
import pytest
from smooth_image import smooth_image

FILES = ['image.png', 'other.png']


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the snippets of a format in a folder with two images; returns what they print."""
    monkeypatch.chdir(tmp_path)
    smooth_image(44, 50).save('image.png')
    smooth_image(60, 40).rotate(90).save('other.png')

    def run(student, name):
        (text,) = encoder_usage(student, [name])
        printed = []
        for snippet in re.findall(r'```python\n(.*?)```', text, re.DOTALL):
            capsys.readouterr()
            exec(snippet, {})
            printed.append(float(capsys.readouterr().out.split()[-1]))
        return printed

    return run


def cosine_of(embeddings):
    one, two = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return one @ two


@pytest.mark.parametrize(
    ('kind', 'parts'),
    [
        ('ours', {}),
        ('ours', dict(backbone=dict(with_cls_token=False))),
        ('distilled', {}),
        ('lift', {}),
        ('widelast', {}),
        ('swin', {}),
    ],
)
def test_mmpretrains_and_ours(tmp_path, read, run, kind, parts):
    student = read(kind, labels=False, **parts)
    write_mmpretrain(student, tmp_path)
    wanted = cosine_of(embed(load_student(tmp_path), FILES).embeddings)
    assert run(student, 'mmpretrain') == pytest.approx([wanted, wanted], abs=1e-5)
    assert abs(wanted) < 0.9999


def test_timms(tmp_path, read, run):
    """timm's own resizing differs by a grey level here and there."""
    student = read('ours', labels=False)
    write_mmpretrain(student, tmp_path)
    write_timm(student, tmp_path / 'timm')
    wanted = cosine_of(embed(load_student(tmp_path), FILES).embeddings)
    assert run(student, 'timm') == pytest.approx([wanted], abs=1e-2)


@pytest.mark.parametrize('kind', ['ours', 'lift'])
def test_onnxruntimes(tmp_path, read, run, kind):
    pytest.importorskip('onnxruntime')
    student = read(kind, labels=False)
    write_mmpretrain(student, tmp_path)
    write_onnx(student, tmp_path / 'student.onnx')
    wanted = cosine_of(embed(load_student(tmp_path), FILES).embeddings)
    assert run(student, 'onnx') == pytest.approx([wanted], abs=1e-4)
