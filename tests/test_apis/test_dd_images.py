"""The images of arXiv 2511.06848: torchvision's `ImageFolder` and transforms."""

import struct
import zlib

import mmvitkd  # noqa: F401
from mmvitkd.apis.dd_images import DDTransform, dd_images
from mmvitkd.datasets.transforms.load_image import MAX_PIXELS, UnreadableImageError
from mmvitkd.utils.errors import KeyedValueError

import numpy as np
import pytest
import torch
from folders import write_noise
from mmpretrain.models import TimmClassifier
from PIL import EpsImagePlugin, Image
from torch import nn
from torchvision import transforms
from torchvision.datasets import ImageFolder

RELEASED = transforms.Compose(
    [
        transforms.Resize(224 + 32),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ]
)


@pytest.fixture
def folder(tmp_path):
    names = [f'{c}/{i:02d}.png' for c, n in (('ant', 34), ('bee', 2)) for i in range(n)]
    return write_noise(tmp_path / 'val', *names, size=(40, 30, 3))


def test_they_are_the_first_batch_of_the_released_code(folder):
    found = dd_images(str(folder))
    transform = DDTransform(nn.Identity())
    theirs = ImageFolder(folder, RELEASED)
    assert len(found) == 32 and set(found.labels) == {0}
    for index in (0, 1, 31):
        image, label = theirs[index]
        assert torch.equal(transform(found.file(index)), image) and label == 0


def test_a_first_class_with_fewer_images_gives_no_others(tmp_path):
    folder = write_noise(tmp_path / 'val', 'ant/0.png', 'ant/1.png', 'bee/0.png')
    assert dd_images(str(folder)).paths == ('ant/0.png', 'ant/1.png')


def test_pixels_are_bgr():
    red = np.full((300, 300, 3), (0, 0, 255), np.uint8)
    means = DDTransform(nn.Identity())(red).mean((1, 2))
    wanted = (torch.tensor([1.0, 0, 0]) - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(
        [0.229, 0.224, 0.225]
    )
    torch.testing.assert_close(means, wanted, rtol=1e-5, atol=1e-5)


def test_an_exif_orientation_is_ignored(tmp_path):
    image = Image.new('RGB', (300, 260), 'red')
    image.paste('blue', (0, 0, 150, 260))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    image.save(tmp_path / 'turned.png', exif=exif)
    image.save(tmp_path / 'plain.png')
    turned, plain = (
        DDTransform(nn.Identity())(str(tmp_path / f'{n}.png')) for n in ('turned', 'plain')
    )
    assert torch.equal(turned, plain)


def test_a_format_that_starts_a_program_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, 'Ghostscript', lambda *_, **__: pytest.fail('started'))
    Image.new('RGB', (20, 20)).save(tmp_path / 'a.eps')
    (tmp_path / 'a.eps').rename(tmp_path / 'a.png')
    with pytest.raises(UnreadableImageError, match=r'a\.png: not an image'):
        DDTransform(nn.Identity())(str(tmp_path / 'a.png'))


@pytest.mark.parametrize('side', [9_000, 40_000])  # above our limit, and above Pillow's
def test_an_image_of_too_many_pixels_is_refused(tmp_path, side):
    path = tmp_path / 'big.png'
    Image.new('1', (8, 8)).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack('>II', side, side)  # in the header alone
    content[29:33] = struct.pack('>I', zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=rf'pixels.*max_pixels={MAX_PIXELS}'):
        DDTransform(nn.Identity())(str(path))


def test_what_does_not_fit_is_refused(tmp_path):
    flat = write_noise(tmp_path / 'flat', '0.png', '1.png')
    with pytest.raises(KeyedValueError, match='no class folders'):
        dd_images(str(flat))
    single = write_noise(tmp_path / 'single', 'ant/0.png', 'bee/0.png')
    with pytest.raises(KeyedValueError, match='has 1 image; wanted 32'):
        dd_images(str(single))
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'no image')
    with pytest.raises(UnreadableImageError):
        DDTransform(nn.Identity())(str(broken))


def test_a_model_of_another_size_is_refused():
    model = TimmClassifier('vit_tiny_patch16_224', pretrained=False, img_size=160, depth=1)
    with pytest.raises(KeyedValueError, match='160 x 160 px, wanted 224') as error:
        DDTransform(model)
    assert error.value.key == 'images'
