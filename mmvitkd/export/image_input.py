"""Describe a model's input: its size, its colours, and how an image is resized."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from ..models.utils.adapters import input_size_of
from ..models.utils.normalization import normalization_by


class ImageInput(NamedTuple):
    """A model's input.

    Attributes:
        size: (H, W) in pixels.
        mean: Of each channel, for pixels in [0, 255]; in the channels' order.
        std: The same.
        channel_order: 'RGB' or 'BGR'.
        interpolation: How an image is resized.
        crop_pct: The edge of the crop divided by the resized edge.
        crop_mode: timm's term: 'center', or 'squash' if the whole image is resized without
            keeping its aspect ratio.
        resizes: Whether images are resized at all.
        crops: Whether they are cropped at all.
    """

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channel_order: str
    interpolation: str
    crop_pct: float
    crop_mode: str
    resizes: bool
    crops: bool


def image_input_of(model: nn.Module, pipeline: Sequence[dict[str, Any]]) -> ImageInput:
    """Return the input of a model with this test pipeline.

    Args:
        model: The student, with its data preprocessor.
        pipeline: The transforms of the test data. ``Resize``, ``ResizeEdge`` and
            ``CenterCrop`` are understood; others that change the size are ignored.

    Raises:
        ValueError: If neither the pipeline nor the model gives the size.
    """
    edge: int | None = None
    size: tuple[int, int] | None = None
    interpolation, crop_pct, crop_mode = 'bilinear', 1.0, 'center'
    resizes = crops = False
    for transform in pipeline:
        kind = transform['type'].split('.')[-1]
        if kind in ('Resize', 'ResizeEdge'):
            resizes, interpolation = True, transform.get('interpolation', 'bilinear')
        if kind == 'ResizeEdge':
            edge = transform['scale']
        elif kind == 'Resize' and 'scale' in transform and not transform.get('keep_ratio'):
            size, crop_mode = _height_width(transform['scale']), 'squash'
            edge = min(size)
        elif kind == 'CenterCrop':
            size, crops = _height_width(transform['crop_size']), True
            crop_pct = min(size) / edge if edge else 1.0
    size = size or input_size_of(model)
    if size is None:
        raise ValueError(
            "The student's input size is not known: the test pipeline has no CenterCrop or "
            'Resize(scale=...), and the model does not state it.'
        )
    mean: tuple[float, ...] = (0.0,) * 3
    std: tuple[float, ...] = (1.0,) * 3
    normalization = normalization_by(model.data_preprocessor)
    if normalization is not None:
        mean, std = _numbers(normalization.mean), _numbers(normalization.std)
    order = _channel_order(model)
    return ImageInput(
        size, mean, std, order, interpolation, crop_pct, crop_mode, resizes, crops
    )


def _numbers(values: Tensor) -> tuple[float, ...]:
    """Return the shortest decimals of float32 values: 33.3, not 33.29999923706055."""
    return tuple(float(str(value)) for value in values.expand(3).cpu().numpy())


def _height_width(size: int | Sequence[int]) -> tuple[int, int]:
    """Return (H, W) of a size in the form of MMPretrain: one number, or (W, H)."""
    width, height = (size, size) if isinstance(size, int) else size
    return height, width


def _channel_order(model: nn.Module) -> str:
    """Return the channels' order: MMPretrain reads BGR, which ``to_rgb`` reverses."""
    return 'RGB' if getattr(model.data_preprocessor, 'to_rgb', False) else 'BGR'
