"""Tiled inference: equal to the whole, however the tiles lie."""

import pytest
import torch

from projects.mdbn.mdbn.network import MDBN
from projects.mdbn.mdbn.tiles import enlarge


@pytest.mark.parametrize('scale', [2, 3, 4])
@pytest.mark.parametrize('tile_size', [16, 50, 1000])
def test_tiles_equal_the_whole(scale, tile_size):
    network, image = MDBN(scale, channels=4), torch.rand(1, 3, 70, 53)
    with torch.no_grad():
        whole, tiled = network(image), enlarge(network, image, tile_size)
    assert (tiled - whole).abs().max() < 1e-5


def test_a_smaller_margin_would_be_seen():
    network = MDBN(2, channels=4, num_blocks=1).double()
    image = torch.rand(1, 3, 40, 40, dtype=torch.float64)
    with torch.no_grad():
        whole = network(image)
        assert (enlarge(network, image, 8) - whole).abs().max() < 1e-12
        network.radius -= 1
        assert (enlarge(network, image, 8) - whole).abs().max() > 1e-9


@pytest.mark.parametrize('tile_size', [0, -1, 2.5])
def test_a_tile_has_pixels(tile_size):
    with pytest.raises(ValueError, match=f'tile_size={tile_size}'):
        enlarge(MDBN(2, 4, 1), torch.rand(1, 3, 8, 8), tile_size)
