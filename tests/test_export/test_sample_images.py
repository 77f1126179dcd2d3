"""Sample images: read as the student's evaluation does, and never used twice."""

import shutil

import mmvitkd  # noqa: F401
from mmvitkd.export import sample_images
from mmvitkd.export.eval_transform import PipelineTransform
from mmvitkd.export.sample_images import read_samples
from mmvitkd.export.student import read_student

import pytest
import torch
from toy_students import save_training, training, write_images


@pytest.fixture
def cfg(tmp_path):
    return training('plain', write_images(tmp_path / 'images', per_class=8))


@pytest.fixture
def student(cfg, tmp_path):
    save_training(cfg, tmp_path / 'training.pth')
    return read_student(cfg, str(tmp_path / 'training.pth'))


def test_calibration_and_comparison_share_no_image(student, cfg, tmp_path):
    folder = tmp_path / 'images' / 'val'
    samples = read_samples(student, cfg, str(folder))
    read = PipelineTransform(cfg, student.model)
    wanted = torch.stack([read(str(file)) for file in sorted(folder.glob('*/*.png'))])
    assert torch.equal(samples.calibration, wanted[1::2])
    assert torch.equal(samples.compared, wanted[::2])
    labels = torch.arange(5).repeat_interleave(8)
    assert torch.equal(samples.labels, labels[::2])


def test_images_without_classes_have_no_labels(student, cfg, tmp_path):
    folder = tmp_path / 'flat'
    folder.mkdir()
    for i, file in enumerate((tmp_path / 'images' / 'val').glob('*/*.png')):
        if i < 11:
            shutil.copy(file, folder / f'{i}.png')
    samples = read_samples(student, cfg, str(folder))
    assert samples.labels is None
    assert (len(samples.calibration), len(samples.compared)) == (5, 6)


def test_a_broken_image_is_named(student, cfg, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(sample_images, 'print_log', lambda text, *_: said.append(text))
    folder = tmp_path / 'images' / 'val'
    (folder / 'ant' / '0.png').write_bytes(b'no image')
    samples = read_samples(student, cfg, str(folder))
    assert len(samples.calibration) + len(samples.compared) == 39
    [text] = said
    assert '1 images cannot be read' in text and 'ant/0.png' in text


def test_other_classes_are_refused(student, cfg, tmp_path):
    (tmp_path / 'images' / 'val' / 'ant').rename(tmp_path / 'images' / 'val' / 'fly')
    with pytest.raises(ValueError, match=r'images.*bee, cat, dog, elk, fly.*ant, bee'):
        read_samples(student, cfg, str(tmp_path / 'images' / 'val'))


def test_an_empty_folder_is_refused(student, cfg, tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty'):
        read_samples(student, cfg, str(tmp_path / 'empty'))


def test_broken_images_are_refused(student, cfg, tmp_path):
    folder = tmp_path / 'broken'
    folder.mkdir()
    for name in 'ab':
        (folder / f'{name}.png').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'0 of 2 images.*a\.png'):
        read_samples(student, cfg, str(folder))
