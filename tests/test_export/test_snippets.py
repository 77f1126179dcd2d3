"""The snippets of the card. Those of the other formats run in the tool's test."""

import mmvitkd  # noqa: F401
from mmvitkd.apis import load_student, predict
from mmvitkd.export.mmpretrain_files import write_mmpretrain
from mmvitkd.export.onnx_file import write_onnx
from mmvitkd.export.snippets import classifier_usage
from mmvitkd.export.student import read_student

import numpy as np
import pytest
from PIL import Image
from toy_students import NAMES, PIPELINE, save_training, training

pytest.importorskip('onnxruntime')
LOAD, RESIZE, CROP, PACK = PIPELINE
SQUASH = dict(type='Resize', scale=(32, 32), backend='pillow', interpolation='bilinear')
CASES = {
    'resized and cropped': ([RESIZE, CROP], (44, 51)),
    'cropped': ([CROP], (44, 51)),
    'squashed': ([SQUASH], (44, 51)),
    'taken as it is': ([], (32, 32)),
}


def run(student):
    """The scores that the ONNX snippet computes."""
    (text,) = classifier_usage(student, ['onnx'])
    names = {}
    exec(text.split('```python\n')[1].removesuffix('```'), names)
    return names['scores']


def test_the_onnx_snippet_predicts_like_predict(tmp_path, monkeypatch, capsys):
    """One export serves all pipelines: what is not in the snippet is equal in them."""
    monkeypatch.chdir(tmp_path)
    cfg = training('lift')
    save_training(cfg, 'training.pth')
    write_onnx(read_student(cfg, 'training.pth'), tmp_path / 'student.onnx')
    scores = []
    for steps, shape in CASES.values():
        cfg.test_dataloader.dataset.pipeline = [LOAD, *steps, PACK]
        student = read_student(cfg, 'training.pth')
        write_mmpretrain(student, tmp_path)
        random = np.random.default_rng(0)
        colours = random.integers(0, 256, (*shape, 3), np.uint8)
        deep = random.integers(0, 65536, shape, np.uint16)
        for pixels in (colours, deep):
            Image.fromarray(pixels).save('image.png')
            (wanted,) = predict(load_student(tmp_path), 'image.png')
            capsys.readouterr()
            scores.append(run(student))
            np.testing.assert_allclose(scores[-1], wanted['scores'], rtol=0, atol=1e-4)
            assert capsys.readouterr().out.split()[0] == NAMES[wanted['label']]
    assert np.ptp(scores, axis=0).max() > 0.02
    run(student._replace(classes=None))
    assert capsys.readouterr().out.split()[0] == str(wanted['label'])


@pytest.mark.parametrize('rule', [dict(thr=0.4), dict(topk=2)])
def test_an_image_may_have_several_classes(tmp_path, monkeypatch, capsys, rule):
    monkeypatch.chdir(tmp_path)
    head = dict(type='MultiLabelLinearClsHead', num_classes=5, in_channels=16, **rule)
    cfg = training('plain')
    cfg.model.head = head
    save_training(cfg, 'training.pth')
    student = read_student(cfg, 'training.pth')
    write_onnx(student, tmp_path / 'student.onnx')
    write_mmpretrain(student, tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (44, 51, 3), np.uint8)
    Image.fromarray(pixels).save('image.png')
    (wanted,) = predict(load_student(tmp_path), 'image.png')
    capsys.readouterr()
    np.testing.assert_allclose(run(student), wanted['scores'], rtol=0, atol=1e-4)
    said = capsys.readouterr().out
    assert {name for name in NAMES if name in said} == set(wanted['class_names'])
    assert '.sigmoid()' in classifier_usage(student, ['timm'])[0]
    assert 'pred_label' in classifier_usage(student, ['mmpretrain'])[0]
