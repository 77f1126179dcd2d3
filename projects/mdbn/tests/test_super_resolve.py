"""What a user calls, with a file, a Pillow image or an array."""

import doctest
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from projects.mdbn.mdbn import MDBN, super_resolve


@pytest.fixture
def network():
    return MDBN(2, 4, 1)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (13, 17, 3), np.uint8)


def test_the_example_in_its_docstring():
    failed, attempted = doctest.testmod(sys.modules[super_resolve.__module__])
    assert attempted and not failed


def test_it_is_the_output_of_the_network_rounded(network, pixels):
    found = super_resolve(pixels, network)
    output = network(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255)[0]
    expected = 255 * output.clamp(0, 1).permute(1, 2, 0).detach().numpy()
    assert found.shape == (26, 34, 3) and found.dtype == np.uint8
    assert np.abs(found - expected).max() <= 0.5 + 1e-3


def test_files_images_and_checkpoints_give_the_same(network, pixels, tmp_path):
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    torch.save(dict(params=network.state_dict()), tmp_path / 'a.pth')
    expected = super_resolve(pixels, network)
    for image in (tmp_path / 'a.png', str(tmp_path / 'a.png'), Image.fromarray(pixels)):
        assert np.array_equal(super_resolve(image, str(tmp_path / 'a.pth')), expected)
    assert np.array_equal(super_resolve(pixels, tmp_path / 'a.pth'), expected)


def test_tiles_make_no_difference(network, pixels):
    whole, tiled = (super_resolve(pixels, network, size).astype(int) for size in (None, 5))
    assert np.abs(whole - tiled).max() <= 1


def test_a_grey_array_has_three_equal_channels(network, pixels):
    grey = pixels[..., 0]
    expected = super_resolve(np.stack([grey] * 3, axis=2), network)
    assert np.array_equal(super_resolve(grey, network), expected)


@pytest.mark.parametrize(
    ('shape', 'dtype'), [((5, 5, 4), np.uint8), ((5, 5, 3), np.uint16), ((5, 5, 3), np.float32)]
)
def test_other_arrays_are_named(network, shape, dtype):
    with pytest.raises(ValueError, match=rf'image: .*\(5, 5, .*{np.dtype(dtype).name}'):
        super_resolve(np.zeros(shape, dtype), network)


def test_a_transparent_image(network):
    with pytest.raises(ValueError, match='transparency'):
        super_resolve(Image.new('RGBA', (5, 5)), network)


def test_a_network_that_returns_nan(network, pixels):
    torch.nn.init.constant_(network.conv_last.bias, float('nan'))
    with pytest.raises(ValueError, match='NaN'):
        super_resolve(pixels, network)
