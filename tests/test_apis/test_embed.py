"""Embeddings of files, arrays and folders, against a forward pass that is written out."""

import mmvitkd  # noqa: F401
from mmvitkd.apis import embed, load_model, load_student

import numpy as np
import pytest
import torch
from folders import touch
from mmpretrain.registry import MODELS
from PIL import Image
from test_apis.test_predict import normalised
from test_models.test_students.test_image_encoder import encoder
from toy_students import label_free


@pytest.mark.parametrize('kind', ['ours', 'lift', 'widelast'])
def test_an_encoders_is_its_first_output(export, pictures, kind):
    folder, model = export(kind, labels=False)
    arrays, files = pictures
    found = embed(folder, files, batch_size=2)
    with torch.no_grad():
        wanted = [model(normalised(array))[0][0].numpy() for array in arrays]
    np.testing.assert_allclose(found.embeddings, wanted, rtol=0, atol=1e-5)
    assert found.embeddings.dtype == np.float32
    assert found.paths == [str(file) for file in files] and found.unreadable == {}


def test_a_classifiers_is_what_its_head_reads(export, pictures):
    folder, model = export('ours')
    arrays, files = pictures
    with torch.no_grad():
        wanted = [model.extract_feat(normalised(array))[-1][0].numpy() for array in arrays]
    found = embed(load_student(folder), files)
    np.testing.assert_allclose(found.embeddings, wanted, rtol=0, atol=1e-5)


def test_every_form_of_a_model_and_of_an_image_gives_the_same(export, pictures, tmp_path):
    folder, _ = export('lift', labels=False)
    arrays, files = pictures
    wanted = embed(folder, files).embeddings
    cfg = label_free('lift')
    cfg.dump(tmp_path / 'config.py')
    trained = load_model(str(tmp_path / 'config.py'), str(tmp_path / 'training.pth'))
    for model in (
        str(folder),
        load_student(folder),
        load_student(folder / 'student.py'),
        trained,
    ):
        assert np.array_equal(embed(model, files).embeddings, wanted)
    forms = [arrays, [Image.fromarray(array) for array in arrays], [files[0], *arrays[1:]]]
    for images in forms:
        assert np.array_equal(embed(folder, images).embeddings, wanted)
    assert embed(folder, [files[0], *arrays[1:]]).paths == [
        str(files[0]),
        'images[1]',
        'images[2]',
    ]
    (one,) = embed(folder, files[0]).embeddings
    assert np.array_equal(one, wanted[0])


def test_a_folder_is_read_to_any_depth_in_order(export, pictures, tmp_path, capsys):
    arrays, _ = pictures
    root = tmp_path / 'photos'
    for name, array in zip(('b/a/1.png', 'c.jpg.png', 'a.PNG'), arrays, strict=True):
        (touch(root, name) / name).unlink()
        Image.fromarray(array).save(root / name, format='png')
    touch(root, 'b/broken.png', 'notes.txt', '.hidden/d.png')
    folder, _ = export('ours', labels=False)
    found = embed(folder, root, batch_size=2)
    files = [str(root / name) for name in ('a.PNG', 'b/a/1.png', 'c.jpg.png')]
    assert found.paths == files
    assert found.unreadable == {str(root / 'b/broken.png'): 'the file is empty'}
    assert np.array_equal(found.embeddings, embed(folder, files).embeddings)
    assert '4/4' in capsys.readouterr().err  # the bar, for a folder only
    embed(folder, root, progress=False, num_workers=1)
    embed(folder, files)
    assert capsys.readouterr().err == ''


def test_an_image_may_be_given_twice(export, pictures):
    folder, _ = export('ours', labels=False)
    found = embed(folder, [pictures[1][0]] * 2)
    assert found.paths == [str(pictures[1][0])] * 2
    assert np.array_equal(*found.embeddings)


def test_timm_models(pictures):
    torch.manual_seed(0)
    model = load_model('timm:vit_tiny_patch16_224', img_size=32, allow_random=True)
    arrays, files = pictures
    found = embed(model, files)
    assert found.embeddings.shape == (3, 192)
    np.testing.assert_array_equal(embed(model, arrays).embeddings, found.embeddings)


@pytest.mark.parametrize(
    ('images', 'error', 'message'),
    [
        ([], ValueError, 'the list is empty'),
        ('gone.png', FileNotFoundError, r"images\[0\]='gone\.png'"),
        (np.zeros((4, 4, 3)), ValueError, r'images\[0\].*of float64'),
        ('nothing', ValueError, r"images='.*nothing': there is no image \(\.jpg, "),
        ('broken', ValueError, r'none of 2 can be read.*a\.png.*the file is empty'),
    ],
)
def test_wrong_images_are_named(export, tmp_path, monkeypatch, images, error, message):
    touch(tmp_path, 'nothing/notes.txt', 'broken/a.png', 'broken/b.png')
    folder, _ = export('ours', labels=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        embed(folder, images)


def test_wrong_models_are_named(pictures):
    files = pictures[1]
    with pytest.raises(TypeError, match=r'model: .*found int'):
        embed(3, files)
    with pytest.raises(ValueError, match=r'ImageEncoder has no config'):
        embed(MODELS.build(encoder()), files)
    with pytest.raises(ValueError, match=r'batch_size=0'):
        embed('student', files, batch_size=0)


def test_an_embedding_that_is_not_finite_is_named(export, pictures):
    folder, _ = export('ours', labels=False)
    model = load_student(folder)
    torch.nn.init.constant_(model.backbone.ln1.weight, torch.inf)
    with pytest.raises(ValueError, match=r'NaN or infinite for .*0\.png, .*1\.png'):
        embed(model, pictures[1])
