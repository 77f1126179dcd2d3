"""OpenCV decodes JPEG files to Pillow's pixels, in full and reduced."""

from io import BytesIO

import mmvitkd  # noqa: F401
from mmvitkd.datasets.transforms.jpeg import decode_jpeg, jpeg_shape, reduction_of

import numpy as np
import pytest
from natural_images import natural_image
from PIL import Image

PHOTO = natural_image(150, 101, seed=0)


def encoded(image=PHOTO, kind='JPEG', **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def of_pillow(content, reduction):
    with Image.open(BytesIO(content)) as image:
        image.draft(image.mode, (image.width // reduction, image.height // reduction))
        return np.asarray(image.convert('RGB'))


@pytest.mark.parametrize('reduction', [1, 2, 4, 8])
@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(quality=98, subsampling=0),
        dict(quality=30, subsampling=1),
        dict(progressive=True),
        dict(optimize=True, restart_marker_rows=1),
        dict(exif=b'Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0'),
    ],
)
def test_the_pixels_are_pillows(options, reduction):
    for image in (PHOTO, PHOTO.convert('L')):
        content = encoded(image, **options)
        assert jpeg_shape(content) == (101, 150)
        decoded = decode_jpeg(content, reduction)
        assert decoded.shape == (-(-101 // reduction), -(-150 // reduction), 3)
        np.testing.assert_array_equal(decoded[..., ::-1], of_pillow(content, reduction))


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    'content',
    [
        encoded(kind='PNG'),
        encoded(kind='WEBP'),
        encoded(PHOTO.convert('CMYK')),
        encoded(exif=turned()),
        encoded()[:-2],
        encoded()[:2000],
        encoded() + b'\0',
        b'',
    ],
    ids=['PNG', 'WebP', 'CMYK', 'turned', 'no end', 'truncated', 'more after the end', 'empty'],
)
def test_files_that_pillow_decodes(content):
    assert jpeg_shape(content) is None


def test_pillows_errors_are_raised():
    with pytest.raises(OSError):
        jpeg_shape(b'\xff\xd8' + np.random.default_rng(0).bytes(500) + b'\xff\xd9')


def test_an_image_of_too_many_pixels():
    content = encoded()
    assert jpeg_shape(content, max_pixels=150 * 101) == (101, 150)
    with pytest.raises(ValueError, match='15150 pixels, more than max_pixels=15149'):
        jpeg_shape(content, max_pixels=15149)


def test_files_that_opencv_cannot_decode():
    content = encoded()
    start = content.index(b'\xff\xc4')  # the tables of codes
    assert decode_jpeg(content[:start] + b'\xff\xd9') is None


@pytest.mark.parametrize(
    ('crop', 'wanted'),
    [
        ((447, 999), 1),
        ((448, 448), 2),
        ((448, 447), 1),
        ((9999, 895), 2),
        ((896, 9999), 4),
        ((1792, 1792), 8),
        ((10, 10), 1),
        ((99999, 99999), 8),
    ],
)
def test_the_crop_stays_twice_as_large_as_its_target(crop, wanted):
    assert reduction_of(crop, (112, 112), 2) == wanted
    assert reduction_of(crop[::-1], (112, 112), 2) == wanted


def test_each_side_has_its_own_target():
    assert reduction_of((400, 800), (100, 200), 2) == 2
    assert reduction_of((800, 400), (100, 200), 2) == 1
