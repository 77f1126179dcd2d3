"""Files are read as in training, unless a config asks for something else."""

import pickle

import mmvitkd  # noqa: F401
from mmvitkd.datasets.transforms.load_image import UnreadableImageError, read_image
from mmvitkd.export.image_reader import ImageReader

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image

LOADER = dict(type='LoadImageFromFile')


@pytest.fixture
def file(tmp_path):
    """16-bit grey, which MMPretrain with Pillow makes white."""
    pixels = np.random.default_rng(0).integers(0, 65536, (9, 7), dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / 'image.png')
    return str(tmp_path / 'image.png')


@pytest.mark.parametrize(
    'loader', [LOADER, LOADER | dict(imdecode_backend='pillow'), dict(type='mmvitkd.LoadImage')]
)
def test_the_conversion_is_that_of_training(file, loader):
    found = pickle.loads(pickle.dumps(ImageReader(loader)))(file)
    assert np.array_equal(found['img'], read_image(file)) and found['img'].std() > 40
    assert found['img_shape'] == found['ori_shape'] == (9, 7)


def test_other_arguments_are_kept(file):
    found = ImageReader(LOADER | dict(color_type='grayscale', to_float32=True))(file)
    wanted = LoadImageFromFile(color_type='grayscale', to_float32=True)(dict(img_path=file))
    assert np.array_equal(found['img'], wanted['img']) and found['img'].dtype == np.float32


@pytest.mark.parametrize('loader', [LOADER, LOADER | dict(ignore_empty=True)])
def test_errors_are_of_one_kind(tmp_path, loader):
    (tmp_path / 'text.png').write_text('no image')
    for name in ('text.png', 'gone.png'):
        with pytest.raises(UnreadableImageError, match=name):
            ImageReader(loader)(str(tmp_path / name))
