"""Load a random crop of an image at a given size: decode, crop and resize in one step."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from mmpretrain.datasets import RandomResizedCrop

from ...registry import TRANSFORMS
from ...utils.deprecation import renamed_arguments
from .jpeg import decode_jpeg, jpeg_shape, reduction_of
from .load_image import (
    MAX_PIXELS,
    check_max_pixels,
    decode,
    named_unreadable,
    read_content,
)

SMOOTH = ('bilinear', 'bicubic')
INTERPOLATIONS = {'torch': SMOOTH, 'pillow': (*SMOOTH, 'lanczos')}
# The minimum ratio of a crop's sides to its target's after decoding at a reduced scale. At 2,
# photographs are within 43 dB of full decoding; at 1.5, some are not within 40
# (docs/performance.md).
RESERVE = 2.0


class CropBox(NamedTuple):
    """A crop in pixels of the image, and the scale at which it is decoded.

    Attributes:
        top: The first row.
        left: The first column.
        height: Number of rows.
        width: Number of columns.
        reduction: r; the other numbers are multiples of it.
    """

    top: int
    left: int
    height: int
    width: int
    reduction: int

    def of(self, image: np.ndarray) -> np.ndarray:
        """Return the crop as a view of an image (H, W, ...) decoded at its scale."""
        top, left, height, width = (number // self.reduction for number in self[:4])
        return image[top : top + height, left : left + width]


@TRANSFORMS.register_module()
class LoadRandomResizedCrop(RandomResizedCrop):  # type: ignore[misc]  # MMPretrain is untyped
    """MMPretrain's ``LoadImageFromFile`` and ``RandomResizedCrop`` in one faster step.

    The boxes are MMPretrain's for the same seed, drawn from numpy's generator, except where
    ``draft_decode`` moves them. Files are read as by ``mmvitkd.LoadImage``, with the same
    errors. Resizing is antialiased and uses no pixel outside the crop, as in MMPretrain with
    Pillow and in timm.

    Required keys: ``img_path``. Added keys: ``img`` (h, w, 3) uint8, BGR, ``img_shape``,
    ``ori_shape``. A sample with an ``img``, (H, W, 3) uint8, has that image cropped. A sample
    with ``blank_like``, a path, becomes black.

    Args:
        scale: Height and width of the result, or one number for both.
        crop_ratio_range: Smallest and largest share of the image's area.
        aspect_ratio_range: Smallest and largest width / height of the crop.
        max_attempts: Draws of a crop that fits, before the centre of the image is used.
        interpolation: 'bicubic' or 'bilinear'; with Pillow also 'lanczos'.
        backend: What resizes: 'torch' or 'pillow'. 'torch' differs from 'pillow' by one grey
            level in a few pixels (70 dB), and takes a fraction of the time.
        draft_decode: Whether to decode JPEG images at 1/2, 1/4 or 1/8 of their scale where the
            crop is still twice as large as the result on each side. The crop's edges then move
            to multiples of 2, 4 or 8 pixels of the image. Photographs stay within 43 dB of the
            same moved crop decoded in full; white noise does not (35 dB).
        backend_args: MMEngine's file backend; by default chosen by the path.
        max_pixels: The largest number of pixels of an image; one with more is not decoded.

    Raises:
        ValueError: If ``backend`` or ``interpolation`` is unknown, or ``max_pixels`` is not a
            positive number.
    """

    @renamed_arguments(reduced_decoding='draft_decode')
    def __init__(
        self,
        scale: Sequence[int] | int,
        crop_ratio_range: tuple[float, float] = (0.08, 1.0),
        aspect_ratio_range: tuple[float, float] = (3 / 4, 4 / 3),
        max_attempts: int = 10,
        interpolation: str = 'bicubic',
        backend: str = 'torch',
        draft_decode: bool = True,
        backend_args: dict[str, Any] | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        check_max_pixels(max_pixels)
        _check_choice('backend', backend, INTERPOLATIONS)
        _check_choice('interpolation', interpolation, INTERPOLATIONS[backend])
        super().__init__(
            scale, crop_ratio_range, aspect_ratio_range, max_attempts, interpolation, backend
        )
        self.draft_decode = draft_decode
        self.backend_args = backend_args
        self.max_pixels = max_pixels

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the crop.

        Raises:
            UnreadableImageError: If the image cannot be read.
        """
        blank_like = results.get('blank_like')
        if 'img' in results:
            shape = results['img'].shape[:2]
            crop = self.draw_box(shape, is_jpeg=False).of(results['img'])
        else:
            shape, crop = self._read(blank_like or results['img_path'])
            results['ori_shape'] = shape
        image = self.resize(crop)
        results['img'] = np.zeros_like(image) if blank_like else image
        results['img_shape'] = image.shape
        return results

    def draw_box(self, shape: tuple[int, int], is_jpeg: bool) -> CropBox:
        """Draw a crop of an image.

        Args:
            shape: (H, W) of the image.
            is_jpeg: Whether it can be decoded at a reduced scale.
        """
        # MMPretrain's method takes an image, but uses its shape only.
        top, left, height, width = self.rand_crop_params(np.broadcast_to(np.uint8(0), shape))
        if not (is_jpeg and self.draft_decode):
            return CropBox(top, left, height, width, reduction=1)
        r = reduction_of((height, width), self.scale, RESERVE)
        top, bottom = _nearest((top, top + height), shape[0], r)
        left, right = _nearest((left, left + width), shape[1], r)
        return CropBox(top, left, bottom - top, right - left, reduction=r)

    def resize(self, crop: np.ndarray) -> np.ndarray:
        """Resize (H, W, 3), uint8, to (h, w, 3)."""
        if self.backend == 'pillow':
            size = tuple(self.scale[::-1])
            resized: np.ndarray = mmcv.imresize(
                crop, size, False, self.interpolation, backend='pillow'
            )
            return resized
        pixels = torch.from_numpy(np.ascontiguousarray(crop))
        # view, not indexing: torch then sees channels-last strides and takes half the time.
        batch = pixels.view(1, *pixels.shape).permute(0, 3, 1, 2)
        result = F.interpolate(batch, self.scale, mode=self.interpolation, antialias=True)
        return np.ascontiguousarray(result[0].permute(1, 2, 0).numpy())

    def _read(self, path: str) -> tuple[tuple[int, int], np.ndarray]:
        """Return (H, W) of the image, and the crop before it is resized."""
        content = read_content(path, self.backend_args)
        with named_unreadable(path):
            shape = jpeg_shape(content, self.max_pixels)
            if shape is not None:
                box = self.draw_box(shape, is_jpeg=True)
                image = decode_jpeg(content, box.reduction)
                if image is not None:
                    return shape, box.of(image)
            image = decode(content, self.max_pixels)
        return image.shape[:2], self.draw_box(image.shape[:2], is_jpeg=False).of(image)

    def __repr__(self) -> str:
        return (
            f'{super().__repr__()[:-1]}, draft_decode={self.draft_decode}, '
            f'backend_args={self.backend_args}, max_pixels={self.max_pixels})'
        )


def _nearest(edges: tuple[int, int], side: int, r: int) -> list[int]:
    """Move edges to the nearest multiples of r within the side of an image."""
    return [min(round(edge / r) * r, side // r * r) for edge in edges]


def _check_choice(key: str, value: str, wanted: Sequence[str] | dict[str, Any]) -> None:
    if value not in wanted:
        raise ValueError(
            f'LoadRandomResizedCrop: {key}={value!r}; wanted one of '
            f'{", ".join(map(repr, wanted))}.'
        )
