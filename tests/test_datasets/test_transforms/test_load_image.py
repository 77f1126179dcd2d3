"""Images of every kind are read as 8-bit BGR, or the error names the reason."""

import os
import socket
import struct
import zlib

import mmvitkd  # noqa: F401
from mmvitkd.datasets import LoadImage
from mmvitkd.datasets.transforms.load_image import (
    FORMATS,
    MAX_PIXELS,
    UnreadableImageError,
    read_image,
)
from mmvitkd.utils.errors import KeyedValueError

import cv2
import numpy as np
import pytest
import toy
from mmcv.transforms import LoadImageFromFile
from mmpretrain.apis import ImageClassificationInferencer
from mmpretrain.registry import TRANSFORMS
from PIL import EpsImagePlugin, Image

RGB = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
WIDE = np.random.default_rng(1).integers(0, 65536, (12, 10), dtype=np.uint16)
NO_IMAGE = f'not an image: wanted {", ".join(FORMATS)}'
ALPHA = np.random.default_rng(2).integers(0, 256, (12, 10), dtype=np.uint8)


@pytest.fixture
def save(tmp_path):
    """Write an image, and return its path."""

    def save(pixels, name='image.png', mode=None, **options):
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        path = tmp_path / name
        (image.convert(mode) if mode else image).save(path, **options)
        return str(path)

    return save


def png(width, height, bits, colours, rows=b''):
    """The bytes of a PNG; without rows, a few that describe a large one."""
    header = struct.pack('>IIBBBBB', width, height, bits, colours, 0, 0, 0)
    chunks = [b'IHDR' + header, b'IDAT' + (zlib.compress(rows) if rows else b''), b'IEND']
    parts = [
        struct.pack('>I', len(chunk) - 4) + chunk + struct.pack('>I', zlib.crc32(chunk))
        for chunk in chunks
    ]
    return b''.join([b'\x89PNG\r\n\x1a\n', *parts])


def read_rgb(path):
    image = read_image(str(path))
    assert image.dtype == np.uint8 and image.ndim == 3
    return image[..., ::-1]


def reason(path):
    with pytest.raises(UnreadableImageError) as error:
        read_image(str(path))
    assert error.value.path == str(path)
    assert str(error.value) == f'{path}: {error.value.reason}'
    return error.value.reason


# Readable -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('mode', 'name'),
    [
        *(('RGB', f'image.{end}') for end in ('png', 'jpg', 'bmp', 'ppm', 'tif', 'webp')),
        *((mode, 'image.png') for mode in ('L', 'LA', 'P', 'RGBA', '1')),
        ('CMYK', 'image.tif'),
    ],
)
def test_the_same_as_mmpretrain(save, mode, name):
    path = save(RGB, name, mode)
    with Image.open(path) as image:
        assert image.mode == mode
    ours = LoadImage()(dict(img_path=path))
    theirs = LoadImageFromFile()(dict(img_path=path))
    assert np.array_equal(ours.pop('img'), theirs.pop('img'))
    assert ours == theirs


def test_colours_and_grey(save):
    assert np.array_equal(read_rgb(save(RGB)), RGB)
    assert np.array_equal(read_rgb(save(RGB[..., 0])), RGB[..., [0, 0, 0]])


def test_a_palette_is_looked_up(save):
    image = Image.fromarray(RGB).quantize(7)
    palette = np.array(image.getpalette()).reshape(-1, 3)
    assert np.array_equal(read_rgb(save(image)), palette[np.array(image)])


def test_cmyk(save):
    ink = np.random.default_rng(3).integers(0, 256, (12, 10, 4), dtype=np.uint8)
    light = 255 - ink.astype(float)
    wanted = light[..., :3] * light[..., 3:] / 255
    path = save(Image.fromarray(ink, 'CMYK'), 'image.tif')
    assert np.abs(read_rgb(path) - wanted).max() <= 1


def test_transparency_is_dropped(save):
    assert np.array_equal(read_rgb(save(np.dstack([RGB, ALPHA]))), RGB)
    grey = np.dstack([RGB[..., 0], ALPHA])
    for name in ('grey.png', 'grey.tif'):
        assert np.array_equal(read_rgb(save(grey, name)), RGB[..., [0, 0, 0]])
    transparent = save(Image.fromarray(RGB).quantize(7), 'palette.png', transparency=3)
    assert np.array_equal(
        read_rgb(transparent), read_rgb(save(Image.fromarray(RGB).quantize(7)))
    )


@pytest.mark.parametrize(('orientation', 'turns'), [(1, 0), (3, 2), (6, -1), (8, 1)])
@pytest.mark.parametrize('pixels', [RGB, WIDE], ids=['8 bits', '16 bits'])
def test_the_camera_was_turned(save, orientation, turns, pixels):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.rot90(read_rgb(save(pixels)), turns)
    assert np.array_equal(read_rgb(save(pixels, 'turned.png', exif=exif)), upright)


@pytest.mark.parametrize('name', ['image.png', 'image.tif', 'image.pgm'])
def test_16_bit_grey_is_divided_by_256(save, name):
    path = save(WIDE, name)
    assert np.array_equal(read_rgb(path), np.repeat(WIDE[..., None] // 256, 3, axis=-1))
    assert np.array_equal(read_image(path), cv2.imread(path, cv2.IMREAD_COLOR))


def test_16_bit_grey_of_another_byte_order(save):
    path = save(Image.frombytes('I;16B', (10, 12), WIDE.astype('>u2').tobytes()), 'image.tif')
    with Image.open(path) as image:
        assert image.mode == 'I;16B'
    assert np.array_equal(read_rgb(path)[..., 0], WIDE // 256)


def test_16_bit_colours(tmp_path):
    pixels = np.dstack([WIDE, WIDE[::-1], WIDE[:, ::-1]])
    path = str(tmp_path / 'image.png')
    cv2.imwrite(path, pixels)  # BGR
    assert np.array_equal(read_image(path), pixels // 256)


def test_16_bit_grey_with_alpha(tmp_path):
    """Written by hand: neither Pillow nor OpenCV writes it."""
    rows = b''.join(
        b'\0' + row.tobytes() for row in np.dstack([WIDE, WIDE[::-1]]).astype('>u2')
    )
    path = tmp_path / 'image.png'
    path.write_bytes(png(10, 12, 16, 4, rows))
    assert np.array_equal(read_rgb(path), np.repeat(WIDE[..., None] // 256, 3, axis=-1))


def test_the_size_of_a_blank_image(save):
    path = save(RGB)
    results = LoadImage()(dict(img_path='gone.png', blank_like=path))
    assert results['img'].shape == RGB.shape and not results['img'].any()
    assert results['img_shape'] == results['ori_shape'] == (12, 10)
    assert results['img_path'] == 'gone.png'


def test_an_image_that_is_already_loaded():
    results = dict(img=RGB)
    assert LoadImage()(results) is results and results['img'] is RGB


def test_mmpretrains_inferencer_takes_a_config_with_it(save, tmp_path):
    pipeline = [
        dict(type='mmvitkd.LoadImage'),
        dict(type='Resize', scale=32),
        dict(type='PackInputs'),
    ]
    (tmp_path / 'config.py').write_text(
        f'default_scope = "mmpretrain"\nmodel = {toy.vit()}\n'
        f'dataset = dict(type="mmvitkd.ImageFolder", pipeline={pipeline})\n'
        'test_dataloader = dict(dataset=dataset)\n'
    )
    inferencer = ImageClassificationInferencer(
        str(tmp_path / 'config.py'), pretrained=False, device='cpu', classes=list('abcde')
    )
    (result,) = inferencer(save(RGB))
    assert result['pred_scores'].shape == (5,)


def test_its_arguments_are_checked():
    assert TRANSFORMS.build(dict(type='mmvitkd.LoadImage')).backend_args is None
    with pytest.raises(TypeError, match='imdecode_backend'):
        LoadImage(imdecode_backend='cv2')


@pytest.mark.parametrize('name', ['image.png', 'image.jpg'])
def test_a_file_is_opened_once(save, monkeypatch, name):
    path, opened, open_image = save(RGB, name), [], Image.open

    def track(file, **options):
        opened.append(file)
        return open_image(file, **options)

    monkeypatch.setattr(Image, 'open', track)
    assert read_image(path).flags['C_CONTIGUOUS'] and len(opened) == 1


# Unreadable ---------------------------------------------------------------------------


def test_missing(tmp_path):
    assert reason(tmp_path / 'gone.png') == 'No such file or directory'
    assert reason(tmp_path) == 'Is a directory'


@pytest.mark.parametrize(
    ('content', 'why'),
    [
        (b'', 'the file is empty'),
        (b'<html>404</html>', NO_IMAGE),
        (np.random.default_rng(0).bytes(5000), NO_IMAGE),
        (b'\xff\xd8' + np.random.default_rng(0).bytes(5000), None),
        (b'\x89PNG\r\n\x1a\n' + np.random.default_rng(0).bytes(5000), None),
    ],
    ids=['empty', 'text', 'noise', 'noise in JPEG', 'noise in PNG'],
)
def test_no_image(tmp_path, content, why):
    path = tmp_path / 'image.png'
    path.write_bytes(content)
    assert reason(path) == why if why else reason(path)


@pytest.mark.parametrize('share', [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    ('pixels', 'name'),
    [
        *((np.tile(RGB, (20, 20, 1)), f'image.{end}') for end in ('png', 'jpg', 'bmp', 'webp')),
        (np.tile(WIDE, (20, 20)), 'image.png'),
    ],
    ids=['png', 'jpg', 'bmp', 'webp', '16 bits'],
)
def test_truncated(save, pixels, name, share):
    path = save(pixels, name)
    with open(path, 'rb') as file:
        content = file.read()
    with open(path, 'wb') as file:
        file.write(content[: int(share * len(content))])
    assert reason(path)


@pytest.mark.parametrize('side', [8001, 13000, 20000])
def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path, monkeypatch, side):
    monkeypatch.setattr(Image.Image, 'load', pytest.fail)
    path = tmp_path / 'image.png'
    path.write_bytes(png(side, side, 8, 2))
    assert MAX_PIXELS == 64_000_000 < Image.MAX_IMAGE_PIXELS
    assert f'{side * side} pixels' in reason(path) and 'max_pixels=64000000' in reason(path)


def test_a_limit_of_its_own(save, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 59)  # 120 is more than twice as many
    path = save(RGB)
    with pytest.raises(UnreadableImageError, match='120 pixels, more than max_pixels=119'):
        LoadImage(max_pixels=119)(dict(img_path=path))
    assert LoadImage(max_pixels=120)(dict(img_path=path))['img_shape'] == (12, 10)


@pytest.mark.parametrize('limit', [0, -1, '9', None, float('nan')])
def test_a_wrong_limit(limit):
    with pytest.raises(KeyedValueError, match='max_pixels='):
        LoadImage(max_pixels=limit)


@pytest.fixture
def ghostscript(tmp_path, monkeypatch):
    """A stand-in for Ghostscript, which leaves a file when it is started."""
    program = tmp_path / 'bin' / 'gs'
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ntouch {tmp_path}/started\n')
    program.chmod(0o755)
    monkeypatch.setenv('PATH', str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, 'gs_binary', None)
    return tmp_path / 'started'


def test_no_file_starts_a_program(tmp_path, ghostscript):
    path = tmp_path / 'image.jpg'
    path.write_bytes(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\n')
    with Image.open(path) as image, pytest.raises(OSError):
        image.load()
    assert ghostscript.exists()  # without a list of formats
    ghostscript.unlink()
    assert reason(path) == NO_IMAGE
    assert not ghostscript.exists()


def test_what_is_no_regular_file_is_not_opened(tmp_path, save):
    os.mkfifo(tmp_path / 'fifo.jpg')
    (tmp_path / 'link.jpg').symlink_to(tmp_path / 'fifo.jpg')
    (tmp_path / 'zero.jpg').symlink_to('/dev/zero')
    assert reason(tmp_path / 'fifo.jpg') == 'a FIFO, wanted a regular file'
    assert reason(tmp_path / 'link.jpg') == 'a FIFO, wanted a regular file'
    assert reason(tmp_path / 'zero.jpg') == 'a character device, wanted a regular file'
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / 'socket.jpg'))
        assert reason(tmp_path / 'socket.jpg') == 'a socket, wanted a regular file'
    (tmp_path / 'image.jpg').symlink_to(save(RGB))
    assert np.array_equal(read_rgb(tmp_path / 'image.jpg'), RGB)


@pytest.mark.parametrize(
    ('kind', 'name'), [(np.int32, '32-bit integer'), (np.float32, 'float')]
)
def test_pixels_without_a_known_range(save, kind, name):
    assert name in reason(save(WIDE.astype(kind), 'image.tif'))


def test_a_memory_error_is_not_an_unreadable_image(save, monkeypatch):
    def full(*args, **kwargs):
        raise MemoryError

    path = save(RGB)
    monkeypatch.setattr(Image, 'open', full)
    with pytest.raises(MemoryError):
        read_image(path)
