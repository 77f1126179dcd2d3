"""Enlarge a picture with a trained network, in one call."""

from os import PathLike, fspath

from mmvitkd.datasets.transforms.load_image import to_rgb
from mmvitkd.utils.errors import KeyedValueError

import numpy as np
import torch
from PIL import Image

from .checkpoint import load_network
from .model import to_8_bit
from .network import MDBN
from .read_rgb import lost_in_rgb, read_rgb
from .tiles import enlarge


def super_resolve(
    image: str | PathLike[str] | Image.Image | np.ndarray,
    network: MDBN | str | PathLike[str],
    tile_size: int | None = 256,
) -> np.ndarray:
    """Enlarge an image.

    Args:
        image: A file, a Pillow image, or an array of RGB or grey: (H, W, 3) or (H, W), uint8.
            Colours of 16 bits are refused in a file; a Pillow image that is loaded already has
            only their upper 8 bits.
        network: A network, or its checkpoint: see :func:`~.checkpoint.load_network`.
        tile_size: See :func:`~.tiles.enlarge`.

    Returns:
        RGB, (scale * H, scale * W, 3), uint8.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the image cannot be read, is of another kind, or has more than 8 bits a
            channel or transparency, or if the network returns NaN or infinite numbers.

    Example:
        >>> import numpy as np
        >>> from projects.mdbn.mdbn import MDBN, super_resolve
        >>> super_resolve(np.zeros((20, 30, 3), np.uint8), MDBN(scale=3)).shape
        (60, 90, 3)
    """
    pixels = _pixels(image)
    if isinstance(network, str | PathLike):
        network = load_network(fspath(network))
    device = next(network.parameters()).device
    inputs = torch.tensor(pixels, device=device).movedim(2, 0)[None].float() / 255
    with torch.inference_mode():
        out = to_8_bit(enlarge(network, inputs, tile_size))
    return np.ascontiguousarray(out[0].movedim(0, 2).cpu().numpy())


def _pixels(image: str | PathLike[str] | Image.Image | np.ndarray) -> np.ndarray:
    if isinstance(image, str | PathLike):
        return read_rgb(fspath(image))
    if isinstance(image, Image.Image):
        if reason := lost_in_rgb(image):
            raise KeyedValueError(f'{{image}}: it has {reason}.', 'image')
        return to_rgb(image)
    array = np.asarray(image)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise KeyedValueError(
            f'{{image}}: found an array of {np.asarray(image).shape}, {array.dtype}; wanted '
            '(H, W, 3) or (H, W), uint8.',
            'image',
        )
    return array
