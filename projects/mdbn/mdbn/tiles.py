"""Enlarge large images tile by tile, without seams."""

from mmvitkd.utils.errors import KeyedValueError

from torch import Tensor

from .network import MDBN


def enlarge(network: MDBN, images: Tensor, tile_size: int | None = None) -> Tensor:
    """Enlarge images whole, or tile by tile, with the same result.

    Every tile is enlarged with a margin of the network's radius, beyond which no pixel matters
    to it, and the margin is cut off. So the tiles differ from the whole by rounding only, and
    take ``(1 + 2 * radius / tile_size) ** 2`` times as long.

    Args:
        network: The network.
        images: (B, 3, H, W), from 0 to 1.
        tile_size: Height and width of a tile without its margin, in pixels of ``images``; None
            for the whole images at once.

    Returns:
        (B, 3, scale * H, scale * W).

    Raises:
        KeyedValueError: If the tile size is not an int above 0.
    """
    if tile_size is None:
        whole: Tensor = network(images)
        return whole
    if type(tile_size) is not int or tile_size < 1:
        raise KeyedValueError(
            f'{{tile_size}}={tile_size!r}: wanted an int above 0, or None.', 'tile_size'
        )
    scale, margin = network.scale, network.radius
    batch, channels, height, width = images.shape
    out = images.new_empty(batch, channels, scale * height, scale * width)
    for top in range(0, height, tile_size):
        for left in range(0, width, tile_size):
            above, before = min(margin, top), min(margin, left)
            bottom, right = min(top + tile_size, height), min(left + tile_size, width)
            tile = images[:, :, top - above : bottom + margin, left - before : right + margin]
            rows = slice(scale * above, scale * (above + bottom - top))
            columns = slice(scale * before, scale * (before + right - left))
            out[:, :, scale * top : scale * bottom, scale * left : scale * right] = network(
                tile
            )[:, :, rows, columns]
    return out
