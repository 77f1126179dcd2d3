"""Image files as a model's input, against Pillow and numpy."""

import os
import pickle

import mmvitkd  # noqa: F401
from mmvitkd.datasets.transforms.load_image import UnreadableImageError
from mmvitkd.export.eval_transform import PipelineTransform, TimmTransform
from mmvitkd.models.teachers import Teacher

import cv2
import numpy as np
import pytest
import torch
from folders import touch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain.models import TimmClassifier
from mmrazor.models.task_modules import RecorderManager
from PIL import Image
from smooth_image import smooth_image
from toy import MEAN, STD, vit
from toy_students import PIPELINE, build

TINY = dict(patch_size=8, embed_dim=16, depth=1, num_heads=2, num_classes=5)


@pytest.fixture
def file(tmp_path):
    smooth_image(90, 60).save(tmp_path / 'image.png')
    return str(tmp_path / 'image.png')


def config(pipeline=PIPELINE, split='test'):
    return Config({f'{split}_dataloader': dict(dataset=dict(pipeline=pipeline))})


def with_pillow(file, edge, size):
    """The short edge to so many pixels, the middle cut out; (3, H, W) in [0, 255]."""
    image = Image.open(file)
    shape = tuple(edge * side // min(image.size) for side in image.size)
    image = image.resize(shape, Image.Resampling.BICUBIC)
    left, top = (round((side - size) / 2) for side in image.size)
    image = image.crop((left, top, left + size, top + size))
    return np.asarray(image).transpose(2, 0, 1).astype(float)


def test_pixels_in_memory_are_prepared_as_those_of_a_file(file):
    pixels = cv2.imread(file)
    model = MODELS.build(vit())
    timm = TimmClassifier('vit_tiny_patch16_224', img_size=32, **TINY)
    for transform in (PipelineTransform(config(), model), TimmTransform(timm)):
        assert torch.equal(transform(pixels), transform(file))


def check(found, pixels, mean, std):
    mean, std = (np.reshape(x, (3, 1, 1)) for x in (mean, std))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), (pixels - mean) / std, atol=1e-5)


@pytest.mark.parametrize('split', ['test', 'val'])
@pytest.mark.parametrize('loader', [
    dict(type='mmvitkd.LoadImage'),
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='LoadImageFromFile'),
])  # fmt: skip
def test_a_pipeline(file, split, loader):
    transform = PipelineTransform(config([loader, *PIPELINE[1:]], split), MODELS.build(vit()))
    assert transform.size == (32, 32)
    check(transform(file), with_pillow(file, 40, 32), MEAN, STD)


def test_a_model_for_bgr(file):
    model = vit()
    model['data_preprocessor'].update(to_rgb=False)
    transform = PipelineTransform(config(), MODELS.build(model))
    check(transform(file), with_pillow(file, 40, 32)[::-1], MEAN, STD)


def test_another_preprocessor(file):
    preprocessor = MODELS.build(dict(type='ClsDataPreprocessor', mean=[1] * 3, std=[2] * 3))
    transform = PipelineTransform(config(), MODELS.build(vit()), data_preprocessor=preprocessor)
    check(transform(file), with_pillow(file, 40, 32)[::-1], [1] * 3, [2] * 3)


def test_another_size_is_resized_as_for_a_teacher(file):
    large = vit()
    large['backbone'].update(img_size=64)
    large = build(large)
    given = PipelineTransform(config(), large)
    resized = PipelineTransform(config(), large, resize=True)
    assert (given.size, resized.size) == ((32, 32), (64, 64))
    teacher = Teacher(large, RecorderManager(), large.data_preprocessor)
    with torch.no_grad():
        found, wanted = large(resized(file)[None]), teacher.logits(given(file)[None])
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)
    assert not torch.allclose(found, large(given(file)[None]), atol=1e-2)


@pytest.mark.parametrize(
    ('model', 'arguments', 'edge', 'size'),
    [
        (dict(img_size=32, **TINY), (), 35, 32),  # crop_pct is 0.9
        (dict(img_size=32, dynamic_img_size=True, **TINY), (64,), 71, 64),
        (dict(dynamic_img_size=True, **TINY), (), 248, 224),
    ],
)
def test_timms(file, model, arguments, edge, size):
    model = TimmClassifier(model_name='vit_tiny_patch16_224', **model)
    transform = TimmTransform(model, *arguments)
    assert transform.size == (size, size)
    check(transform(file), with_pillow(file, edge, size), [127.5] * 3, [127.5] * 3)


def transforms():
    timm = TimmClassifier(model_name='vit_tiny_patch16_224', img_size=32, **TINY)
    with_cv2 = [dict(type='LoadImageFromFile'), *PIPELINE[1:]]
    lenient = [dict(type='LoadImageFromFile', ignore_empty=True), *PIPELINE[1:]]
    model = MODELS.build(vit())
    pipelines = [PIPELINE, with_cv2, lenient]
    return [TimmTransform(timm), *(PipelineTransform(config(p), model) for p in pipelines)]


@pytest.mark.parametrize('content', [b'', b'not an image', None])
def test_an_unreadable_file(tmp_path, content):
    path = touch(tmp_path, 'broken.png') / 'broken.png'
    path.write_bytes(content or b'')
    if content is None:
        path.unlink()
    for transform in transforms():
        with pytest.raises(UnreadableImageError) as error:
            transform(str(path))
        assert error.value.path == str(path)
        assert error.value.reason and str(tmp_path) not in error.value.reason


def test_what_is_never_opened_or_decoded(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / 'fifo.png')
    Image.new('1', (8001, 8000)).save(tmp_path / 'large.png')
    monkeypatch.setattr(cv2, 'imdecode', pytest.fail)
    monkeypatch.setattr(Image.Image, 'load', pytest.fail)
    for transform in transforms():
        for name, reason in (('fifo', 'a FIFO'), ('large', '64008000 pixels.* max_pixels')):
            with pytest.raises(UnreadableImageError, match=reason):
                transform(str(tmp_path / f'{name}.png'))


def test_workers_get_a_copy(file):
    for transform in transforms():
        assert torch.equal(pickle.loads(pickle.dumps(transform))(file), transform(file))


def test_the_models_preprocessor_may_move(file):
    model = MODELS.build(vit())
    transform = PipelineTransform(config(), model)
    wanted = transform(file)
    model.to('meta')
    assert torch.equal(transform(file), wanted)


@pytest.mark.parametrize('cfg', [{}, dict(test_dataloader=dict(dataset=dict(type='X')))])
def test_no_pipeline(cfg):
    with pytest.raises(
        ValueError, match='neither test_dataloader nor val_dataloader has a dat'
    ):
        PipelineTransform(Config(cfg), MODELS.build(vit()))


@pytest.mark.parametrize('kind', ['KFoldDataset', 'ConcatDataset'])
def test_the_pipeline_of_a_wrapped_data_set(file, kind):
    model = MODELS.build(vit())
    wanted = PipelineTransform(config(), model)(file)
    inner = dict(type='CustomDataset', pipeline=PIPELINE)
    wraps = dict(dataset=inner) if kind == 'KFoldDataset' else dict(datasets=[inner, inner])
    cfg = Config(dict(val_dataloader=dict(dataset=dict(type=kind, **wraps))))
    assert torch.equal(PipelineTransform(cfg, model)(file), wanted)
