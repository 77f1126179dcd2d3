"""Reading a student from its training."""

import mmvitkd  # noqa: F401
from mmvitkd.export.student import read_student

import pytest
import torch
from toy_students import NAMES, label_free, save_training, training


@pytest.mark.parametrize(
    'kind', ['plain', 'ours', 'distilled', 'lift', 'widelast', 'swin_widelast', 'timm']
)
def test_it_has_the_weights_of_the_training(tmp_path, kind):
    cfg, path = training(kind), str(tmp_path / 'c.pth')
    wanted = save_training(cfg, path)
    for ema in (False, True):
        student = read_student(cfg, path, ema)
        images = student.images(2)
        assert images.shape == (2, 3, 32, 32) and not student.model.training
        assert torch.equal(student.model(images), wanted[ema](images))
    assert (student.num_classes, student.classes) == (5, NAMES)
    assert student.outputs == ('logits',)


@pytest.mark.parametrize('kind', ['ours', 'lift', 'widelast', 'swin'])
def test_without_a_head_it_returns_an_embedding_and_features(tmp_path, kind):
    cfg, path = label_free(kind), str(tmp_path / 'c.pth')
    wanted, _ = save_training(cfg, path)
    student = read_student(cfg, path)
    for found, output in zip(
        student.model(student.images(2)), wanted(student.images(2)), strict=True
    ):
        assert torch.equal(found, output)
    assert student.outputs == ('embedding', 'features')
    # The checkpoint has the names of the folders, which are no classes of this student.
    assert (student.num_classes, student.classes) == (0, None)


def test_a_published_checkpoint_or_the_student_alone(tmp_path):
    cfg, path = training('lift'), str(tmp_path / 'c.pth')
    wanted, _ = save_training(cfg, path)
    content = torch.load(path, weights_only=True)
    torch.save({k: content[k] for k in ('meta', 'state_dict')}, path)
    assert read_student(cfg, path).classes == NAMES
    torch.save(wanted.state_dict(), path)
    student = read_student(cfg, path)
    images = student.images(1)
    assert torch.equal(student.model(images), wanted(images)) and student.classes is None


def test_a_checkpoint_of_another_student_is_an_error(tmp_path):
    save_training(training('lift'), tmp_path / 'lift.pth')
    with pytest.raises(ValueError, match=r'(?s)lift\.pth.*does not fit.*neck\.proj\.weight'):
        read_student(training('widelast'), str(tmp_path / 'lift.pth'))


def test_a_missing_checkpoint_is_an_error():
    with pytest.raises(FileNotFoundError, match=r'gone\.pth.*no such file'):
        read_student(training('lift'), 'gone.pth')


def test_a_student_without_a_head_is_an_error(tmp_path):
    cfg = training('ours')
    cfg.model.architecture.pop('head')
    save_training(cfg, tmp_path / 'c.pth')
    with pytest.raises(ValueError, match=r'no logits.*no classification head'):
        read_student(cfg, str(tmp_path / 'c.pth'))
