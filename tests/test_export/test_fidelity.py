"""Fidelity: differences written out, and when a file counts as close."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.export.fidelity import Fidelity, measure_fidelity
from mmvitkd.export.sample_images import SampleImages
from mmvitkd.export.student import read_student

import pytest
import torch
from toy_students import save_training, training


def fidelity(**changes):
    about = dict(num_bytes=1, difference=1.0, error=0.01, agreement=99.0, top1=None)
    return Fidelity(**{**about, 'milliseconds': 1.0, **changes})


@pytest.mark.parametrize(
    ('changes', 'is_close'),
    [
        ({}, True),
        (dict(error=0.051), False),
        (dict(agreement=96.9), False),
        (dict(agreement=None), True),
    ],
    ids=str,
)
def test_close_is_a_matter_of_error_and_agreement(changes, is_close):
    assert fidelity(**changes).is_close == is_close


def test_the_differences_are_those_of_all_images(read, tmp_path):
    student = read('plain')
    images = torch.randn(40, 3, 32, 32)
    samples = SampleImages(images[:2], images, torch.arange(40) % 5)
    with torch.no_grad():
        wanted = student.model(images).double()
    file = tmp_path / 'file'
    file.write_bytes(b'1234')

    def run(some):
        return [student.model(some) + torch.tensor([0, 0, 0, 0, 1.5])]

    found = measure_fidelity(student, {file: run}, samples)[file]
    changed = wanted.clone()
    changed[:, 4] += 1.5
    variance = (wanted - wanted.mean(0)).square().mean()
    assert found.num_bytes == 4
    assert found.difference == pytest.approx(1.5, rel=1e-5)
    assert found.error == pytest.approx(((1.5**2 / 5) / variance).item(), rel=1e-5)
    same = (changed.argmax(1) == wanted.argmax(1)).double().mean().item()
    assert found.agreement == pytest.approx(100 * same) and same < 1
    top1 = (changed.argmax(1) == samples.labels).double().mean().item()
    assert found.top1 == pytest.approx(100 * top1)


def test_where_an_image_may_have_several_classes_all_must_be_the_same(tmp_path):
    cfg = training('plain')
    cfg.model.head = dict(type='MultiLabelLinearClsHead', num_classes=5, in_channels=16)
    save_training(cfg, tmp_path / 'training.pth')
    student = read_student(cfg, str(tmp_path / 'training.pth'))
    images = torch.randn(8, 3, 32, 32)
    samples = SampleImages(images, images, torch.zeros(8, dtype=torch.long))

    def run(some):
        logits = student.model(some)
        logits[:2, 3] = -logits[:2, 3]  # the decision about one class of a quarter of them
        return [logits]

    file = Path(__file__)
    found = measure_fidelity(student, {file: run}, samples)[file]
    assert found.agreement == 75.0 and found.top1 is None


def test_an_output_that_is_not_finite_is_not_close(read):
    student = read('ours', labels=False)
    images = torch.randn(6, 3, 32, 32)

    def run(some):
        embedding, features = student.model(some)
        features[0, 0, 0] = float('nan')
        return [embedding, features]

    file = Path(__file__)
    found = measure_fidelity(student, {file: run}, SampleImages(images, images, None))[file]
    assert not found.is_close


def test_of_several_outputs_the_worst_counts(read):
    student = read('ours', labels=False)
    images = torch.randn(6, 3, 32, 32)

    def run(some):
        embedding, features = student.model(some)
        return [embedding, 2 * features]

    file = Path(__file__)
    found = measure_fidelity(student, {file: run}, SampleImages(images, images, None))[file]
    with torch.no_grad():
        features = student.model(images)[1].double()
    error = features.square().mean() / (features - features.mean(0)).square().mean()
    assert found.error == pytest.approx(error.item(), rel=1e-5)
    assert found.agreement is None and found.top1 is None
