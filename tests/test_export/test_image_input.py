"""A student's input, by its test pipeline."""

import mmvitkd  # noqa: F401
from mmvitkd.export.image_input import image_input_of

import pytest
from mmpretrain.registry import MODELS
from toy import MEAN, STD, vit
from toy_students import PIPELINE

EDGE = dict(type='ResizeEdge', scale=256, interpolation='bicubic')
CROP = dict(type='CenterCrop', crop_size=224)
SQUASH = dict(type='mmpretrain.Resize', scale=(48, 32))


def found(*pipeline, **preprocessor):
    config = vit()
    config['data_preprocessor'] |= preprocessor
    return image_input_of(MODELS.build(config), pipeline)


def test_the_usual_pipeline():
    wanted = found(*PIPELINE)
    assert wanted == (
        (32, 32),
        tuple(MEAN),
        tuple(STD),
        'RGB',
        'bicubic',
        0.8,
        'center',
        True,
        True,
    )


@pytest.mark.parametrize(
    ('pipeline', 'size', 'rest'),
    [
        ([EDGE, CROP], (224, 224), ('bicubic', 0.875, 'center', True, True)),
        ([CROP], (224, 224), ('bilinear', 1.0, 'center', False, True)),
        ([EDGE], (32, 32), ('bicubic', 1.0, 'center', True, False)),
        ([SQUASH], (32, 48), ('bilinear', 1.0, 'squash', True, False)),
        (
            [dict(SQUASH, scale=(40, 40)), dict(CROP, crop_size=32)],
            (32, 32),
            ('bilinear', 0.8, 'squash', True, True),
        ),
        (
            [EDGE, dict(CROP, crop_size=(192, 224))],
            (224, 192),
            ('bicubic', 0.75, 'center', True, True),
        ),
        ([dict(type='PackInputs')], (32, 32), ('bilinear', 1.0, 'center', False, False)),
    ],
)
def test_other_pipelines(pipeline, size, rest):
    wanted = found(*pipeline)
    assert wanted.size == size
    assert wanted[4:] == rest


def test_numbers_are_as_they_were_written():
    wanted = found(mean=[33.3, 0.1, 122.7709383], std=[78.6, 1.0, 3.0], to_rgb=False)
    assert wanted.mean == (33.3, 0.1, 122.770935) and wanted.std == (78.6, 1.0, 3.0)
    assert wanted.channel_order == 'BGR'


def test_one_number_is_that_of_all_channels():
    wanted = found(mean=[127.5], std=[127.5])
    assert (wanted.mean, wanted.std) == ((127.5,) * 3, (127.5,) * 3)


def test_without_normalisation_pixels_are_the_input():
    model = vit()
    model['data_preprocessor'] = dict(to_rgb=True)
    wanted = image_input_of(MODELS.build(model), [])
    assert (wanted.mean, wanted.std) == ((0.0,) * 3, (1.0,) * 3)


def test_an_unknown_size_is_an_error():
    model = dict(
        type='ImageClassifier',
        backbone=dict(type='ResNet', depth=18),
        head=dict(type='LinearClsHead', num_classes=5, in_channels=512),
    )
    with pytest.raises(ValueError, match=r'input size is not known.*no CenterCrop'):
        image_input_of(MODELS.build(model), [EDGE])
