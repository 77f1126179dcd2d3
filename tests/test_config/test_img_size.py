"""`img_size` reaches the student and every pipeline, in proportion."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.config.load_config import load_config
from mmvitkd.config.shortcuts import apply_shortcuts
from mmvitkd.models.utils.adapters import input_size_of

import pytest
from mmengine.config import Config
from mmpretrain.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'


def load(name='image_folder/deit_small_deit_tiny_widelast.py', **options):
    return load_config(str(CONFIGS / name), options, measure=False)


@pytest.mark.parametrize('size', [112, 224, 384])
@pytest.mark.parametrize(
    'name',
    [
        'image_folder/deit_small_deit_tiny_widelast.py',
        'swin/swin_small_swin_tiny_softkd_spectralkd_stages_500e.py',
        'lift/cait_s24_deit_tiny_lift_mse_300e.py',
    ],
)
def test_student_crops_and_resizes(name, size):
    cfg = load(name, img_size=size)
    assert input_size_of(MODELS.build(cfg.model.architecture)) == (size, size)
    assert cfg.train_dataloader.dataset.pipeline[0].scale == size
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        resize, crop = loader.dataset.pipeline[1:3]
        assert (resize.scale, crop.crop_size) == (round(size * 256 / 224), size)
    assert 'img_size' not in cfg.model.teacher


def test_224_changes_nothing():
    assert load(img_size=224).train_dataloader == load().train_dataloader


def test_a_timm_student():
    cfg = load('image_folder/deit_small.py', img_size=112)
    assert cfg.model.img_size == 112


def test_a_resize_without_a_crop_and_a_pair_of_sizes():
    steps = [dict(type='Resize', scale=(224, 224)), dict(type='PackInputs')]
    crop = dict(type='CenterCrop', crop_size=(224, 224))
    pair = [dict(type='Resize', scale=(256, 256)), crop]
    cfg = Config(
        dict(
            img_size=112,
            model=dict(backbone=dict(img_size=224)),
            train_dataloader=dict(dataset=dict(pipeline=steps)),
            val_dataloader=dict(dataset=dict(pipeline=pair)),
        )
    )
    apply_shortcuts(cfg)
    assert cfg.train_dataloader.dataset.pipeline[0].scale == (112, 112)
    resize, crop = cfg.val_dataloader.dataset.pipeline
    assert (resize.scale, crop.crop_size) == ((128, 128), 112)


@pytest.mark.parametrize('size', [0, -224, 224.0, '224', True, (224, 224)])
def test_what_is_no_size(size):
    with pytest.raises(ValueError, match=r'^img_size=.*: wanted an int above 0'):
        load(img_size=size)


def test_patches_that_do_not_fit():
    message = r'^img_size=100: .* 16 x 16 pixels; wanted a multiple of 16, such as 96\.'
    with pytest.raises(ValueError, match=message):
        load(img_size=100)


def test_a_pipeline_that_takes_images_as_they_are():
    cfg = dict(model=dict(backbone=dict()), img_size=64)
    pipeline = [dict(type='PackInputs')]
    cfg = Config(cfg | dict(val_dataloader=dict(dataset=dict(pipeline=pipeline))))
    with pytest.raises(ValueError, match=r'^img_size=64: the pipeline of val_dataloader has'):
        apply_shortcuts(cfg)


def test_a_config_without_a_model():
    with pytest.raises(ValueError, match=r'^img_size=64: this config has no model'):
        apply_shortcuts(Config(dict(img_size=64)))
