"""What would be lost in 8-bit RGB is refused by name."""

import cv2
import numpy as np
import pytest
from PIL import Image

from projects.mdbn.mdbn.read_rgb import read_rgb

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize('shape', [(9, 8), (9, 8, 3)])
@pytest.mark.parametrize('suffix', ['png', 'tiff'])
def test_16_bits(tmp_path, shape, suffix):
    path = str(tmp_path / f'deep.{suffix}')
    cv2.imwrite(path, RANDOM.integers(0, 65536, shape, np.uint16))
    with pytest.raises(ValueError, match=rf'deep\.{suffix}: .*8 bits'):
        read_rgb(path)


@pytest.mark.parametrize(('mode', 'suffix'), [('RGBA', 'png'), ('LA', 'png'), ('PA', 'tiff')])
def test_transparency(tmp_path, mode, suffix):
    path = str(tmp_path / f'glass.{suffix}')
    Image.fromarray(RANDOM.integers(0, 256, (9, 8, 2), np.uint8)).convert(mode).save(path)
    with pytest.raises(ValueError, match=rf'glass\.{suffix}: .*transparency .*{mode}'):
        read_rgb(path)


@pytest.mark.parametrize('mode', ['RGB', 'L', 'P', '1'])
def test_other_8_bit_images(tmp_path, mode):
    image = Image.fromarray(RANDOM.integers(0, 256, (9, 8, 3), np.uint8)).convert(mode)
    image.save(tmp_path / 'a.png')
    assert np.array_equal(read_rgb(str(tmp_path / 'a.png')), np.asarray(image.convert('RGB')))


def test_what_is_no_image(tmp_path):
    (tmp_path / 'a.png').write_text('no')
    with pytest.raises(ValueError, match=r'a\.png: not an image'):
        read_rgb(str(tmp_path / 'a.png'))


@pytest.mark.parametrize(('kind', 'pixel'), [('P6', b'\0\1\0\2\0\3'), ('P3', b'1 2 3')])
def test_16_bits_of_a_ppm_are_its_largest_value(tmp_path, kind, pixel):
    path = tmp_path / 'deep.ppm'
    path.write_bytes(b'%s 1 1 1023\n%s' % (kind.encode(), pixel))
    with pytest.raises(ValueError, match=r'deep\.ppm: .*8 bits'):
        read_rgb(str(path))


def test_a_ppm_of_fewer_than_8_bits(tmp_path):
    (tmp_path / 'a.ppm').write_bytes(b'P6 1 1 15\n\x00\x0f\x05')
    assert read_rgb(str(tmp_path / 'a.ppm')).tolist() == [[[0, 255, 85]]]
