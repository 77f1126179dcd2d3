"""Resizing in words and in code; the whole snippet runs in test_snippets.py."""

import mmvitkd  # noqa: F401
from mmvitkd.export.image_input import ImageInput
from mmvitkd.export.preprocessing_text import in_code, in_words

import numpy as np
import pytest
from mmcv.transforms import CenterCrop
from mmengine.dataset import Compose
from mmpretrain.datasets.transforms import ResizeEdge
from PIL import Image


def image_input(size=(224, 224), crop_pct=0.875, mode='center', resizes=True, crops=True):
    grey = (0.0,) * 3, (1.0,) * 3
    return ImageInput(size, *grey, 'RGB', 'bicubic', crop_pct, mode, resizes, crops)


@pytest.mark.parametrize(
    ('wanted', 'words'),
    [
        (image_input(), 'short edge to 256 (bicubic), centre crop 224 x 224'),
        (image_input((28, 28), 1.0, crops=False), 'short edge to 28 (bicubic), no crop'),
        (
            image_input((224, 192), 0.75),
            'short edge to 256 (bicubic), centre crop 224 x 192',
        ),
        (
            image_input((32, 48), 1.0, 'squash', crops=False),
            'the whole image to 32 x 48 (bicubic), no crop',
        ),
        (image_input((28, 28), 1.0, resizes=False), 'none, centre crop 28 x 28'),
        (
            image_input((28, 28), 1.0, resizes=False, crops=False),
            'none: images must be 28 x 28',
        ),
    ],
)
def test_words(wanted, words):
    assert in_words(wanted) == words


@pytest.mark.parametrize('interpolation', ['bicubic', 'bilinear', 'lanczos', 'nearest'])
@pytest.mark.parametrize('shape', [(44, 51), (67, 40), (33, 33), (40, 43), (20, 77)])
def test_code_gives_the_pixels_of_mmpretrains_transforms(shape, interpolation):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    edge = ResizeEdge(40, backend='pillow', interpolation=interpolation)
    wanted = Compose([edge, CenterCrop((31, 32))])(dict(img=pixels))['img']
    names = dict(Image=Image, image=Image.fromarray(pixels))
    ours = image_input((32, 31), 0.775)._replace(interpolation=interpolation)
    exec('\n'.join(in_code(ours)), names)
    assert wanted.shape == (32, 31, 3)
    np.testing.assert_array_equal(np.asarray(names['image']), wanted)


def test_an_image_of_a_fixed_size_is_unchanged():
    assert in_code(image_input(crop_pct=1.0, resizes=False, crops=False)) == []
    area = image_input((8, 8), 1.0, 'squash', crops=False)._replace(interpolation='area')
    assert in_code(area) == ['image = image.resize((8, 8), Image.BOX)']
