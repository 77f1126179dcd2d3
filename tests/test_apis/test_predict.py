"""Predictions, against a forward pass that is written out."""

import mmvitkd  # noqa: F401
from mmvitkd.apis import load_student, predict

import cv2
import numpy as np
import pytest
import torch
from logged import logged
from PIL import Image
from toy import MEAN, STD
from toy_students import NAMES


def normalised(array):
    """An RGB image as (1, 3, 32, 32): edge to 40 by Pillow's bicubic, centre 32, normalised."""
    height, width = array.shape[:2]
    size = (40, 40 * height // width) if width < height else (40 * width // height, 40)
    resized = np.asarray(Image.fromarray(array).resize(size, Image.Resampling.BICUBIC))
    top, left = (resized.shape[0] - 32) // 2, (resized.shape[1] - 32) // 2
    crop = resized[top : top + 32, left : left + 32].astype(np.float32)
    pixels = ((crop - np.float32(MEAN)) / np.float32(STD)).transpose(2, 0, 1)
    return torch.from_numpy(pixels)[None]


def by_hand(model, array):
    """Scores of an RGB image."""
    with torch.no_grad():
        return model(normalised(array)).softmax(1)[0].numpy()


@pytest.mark.parametrize('kind', ['ours', 'lift', 'widelast'])
def test_scores_equal_a_forward_pass(export, pictures, kind):
    folder, wanted = export(kind)
    arrays, files = pictures
    found = predict(load_student(folder), files, batch_size=2)
    for result, array in zip(found, arrays, strict=True):
        scores = by_hand(wanted, array)
        np.testing.assert_allclose(result['scores'], scores, atol=1e-5)
        assert result['label'] == scores.argmax()
        assert result['class_name'] == NAMES[result['label']]
        assert result['score'] == pytest.approx(scores.max(), abs=1e-5)
    assert not np.allclose(found[0]['scores'], found[1]['scores'], atol=1e-3)
    # Reversed channels are another image: the order of an array matters.
    assert not np.allclose(found[0]['scores'], by_hand(wanted, arrays[0][..., ::-1]), atol=1e-3)


def test_all_kinds_of_images_give_equal_scores(export, pictures):
    model = load_student(export('lift')[0])
    arrays, files = pictures
    forms = [files, [str(f) for f in files], arrays, [Image.fromarray(a) for a in arrays]]
    forms.append([str(files[0]), arrays[1], Image.open(files[2])])
    wanted, *others = [predict(model, form) for form in forms]
    for other in others:
        for one, two in zip(wanted, other, strict=True):
            np.testing.assert_array_equal(one['scores'], two['scores'])
    for single in (files[0], arrays[0], Image.fromarray(arrays[0])):
        (found,) = predict(model, single)
        assert found['label'] == wanted[0]['label']


def test_images_of_other_modes_are_converted(export, pictures, tmp_path):
    model = load_student(export('lift')[0])
    image = Image.fromarray(pictures[0][0])
    for mode in ('L', 'LA', 'P', 'CMYK', 'RGBA', '1'):
        converted = image.convert(mode)
        (from_image,) = predict(model, converted)
        (from_array,) = predict(model, np.asarray(converted.convert('RGB')))
        np.testing.assert_array_equal(from_image['scores'], from_array['scores'])


def test_unknown_names_are_none(export, pictures):
    folder, _ = export('lift')
    content = torch.load(folder / 'student.pth', weights_only=True)
    torch.save(dict(content, meta={}), folder / 'student.pth')
    assert predict(load_student(folder), pictures[0])[0]['class_name'] is None


@pytest.mark.parametrize(
    ('images', 'error', 'message'),
    [
        ([], ValueError, 'the list is empty'),
        (['a.png', 'gone.png'], FileNotFoundError, r"images\[0\]='a\.png': there is no"),
        (np.zeros((4, 4, 4), np.uint8), ValueError, r'images\[0\].*found \(4, 4, 4\)'),
        (np.zeros((4, 4, 3)), ValueError, r'images\[0\].*of float64'),
        ([None], TypeError, r'images\[0\].*found NoneType'),
        (Image.new('I', (8, 8)), ValueError, r'images\[0\].*32-bit integer'),
        (Image.new('F', (8, 8)), ValueError, r'images\[0\].*floating point'),
    ],
)
def test_other_arguments_are_named(export, images, error, message):
    with pytest.raises(error, match=message):
        predict(load_student(export('lift')[0]), images)


def test_a_student_without_a_head_is_named(export, pictures):
    model = load_student(export('lift', labels=False)[0])
    with pytest.raises(ValueError, match=r'ImageEncoder has no head.*apis\.embed'):
        predict(model, pictures[0])


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_an_image_of_too_many_pixels_is_not_decoded(export, tmp_path, monkeypatch, backend):
    loader = dict(type='LoadImageFromFile', imdecode_backend=backend)
    model = load_student(export('lift', **{'test_dataloader.dataset.pipeline.0': loader})[0])
    Image.new('1', (8001, 8000)).save(tmp_path / 'large.png')
    monkeypatch.setattr(cv2, 'imdecode', pytest.fail)
    monkeypatch.setattr(Image.Image, 'load', pytest.fail)
    with pytest.raises(ValueError, match=r'large\.png.*64008000 pixels.* max_pixels'):
        predict(model, tmp_path / 'large.png')


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_scores_that_are_not_finite_are_named(export, pictures, value):
    model = load_student(export('lift')[0])
    with torch.no_grad():
        model.head.fc.bias[3] = value
    with pytest.raises(ValueError, match=r'0\.png.*5 of its 5 scores are NaN'):
        predict(model, pictures[1])


def test_an_unreadable_file_is_named(export, pictures):
    pictures[1][1].write_bytes(b'not an image')
    with pytest.raises(ValueError, match=r'1\.png.*cannot be read as an image'):
        predict(load_student(export('lift')[0]), pictures[1])


def test_a_folder_is_classified_whole(export, pictures, tmp_path, capfd):
    folder, _ = export('ours')
    photos = tmp_path / 'photos'
    (photos / 'deep').mkdir(parents=True)
    moved = [photos / 'b.png', photos / 'deep' / 'a.png']
    for file, target in zip(pictures[1], moved, strict=False):
        file.rename(target)
    (photos / 'broken.png').write_bytes(b'not an image')
    with logged() as lines:
        found = predict(load_student(folder), photos, batch_size=1)
    assert [result['path'] for result in found] == list(map(str, moved))
    assert '3/3' in capfd.readouterr().err  # a progress bar
    [line] = [line for line in lines if 'Left out 1 of 3 images' in line]
    assert 'broken.png' in line
    for result, array in zip(found, pictures[0], strict=False):
        (wanted,) = predict(str(folder), array)
        np.testing.assert_allclose(result['scores'], wanted['scores'], atol=1e-6)


@pytest.mark.parametrize('rule', [dict(thr=0.4), dict(topk=2)])
def test_an_image_may_have_several_classes(export, pictures, rule):
    head = dict(type='MultiLabelLinearClsHead', num_classes=5, in_channels=16, **rule)
    folder, wanted = export('plain', **{'model.head': dict(_delete_=True, **head)})
    found = predict(load_student(folder), pictures[1])
    for result, array in zip(found, pictures[0], strict=True):
        with torch.no_grad():
            scores = wanted(normalised(array)).sigmoid()[0].numpy()
        np.testing.assert_allclose(result['scores'], scores, atol=1e-5)
        order = [int(i) for i in np.argsort(-scores)]
        labels = order[:2] if 'topk' in rule else [i for i in order if scores[i] >= 0.4]
        assert result['labels'] == labels
        assert result['class_names'] == [NAMES[i] for i in labels]
        assert result['label'] == order[0]
