"""The model of a training: a network, the L1 loss, and what a test reads."""

from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.registry import MODELS
from torch import Tensor
from torch.nn.functional import l1_loss

from .network import MDBN
from .tiles import enlarge


@MODELS.register_module()
class UnitRangePreprocessor(BaseDataPreprocessor):  # type: ignore[misc]  # MMEngine is untyped
    """Move a batch to the device; 8-bit images become numbers from 0 to 1."""

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Return a batch whose uint8 tensors are float32, divided by 255."""
        return {key: _unit_range(value) for key, value in self.cast_data(data).items()}


@MODELS.register_module()
class SuperResolver(BaseModel):  # type: ignore[misc]  # MMEngine is untyped
    """Train and test a super-resolution network.

    Args:
        network: The network, or its config, such as ``dict(type='MDBN', scale=2)``.
        tile_size: See :func:`~.tiles.enlarge`; for a test on large images.
        data_preprocessor: By default a :class:`UnitRangePreprocessor`.
    """

    def __init__(
        self,
        network: MDBN | dict[str, Any],
        tile_size: int | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor or dict(type='UnitRangePreprocessor'))
        self.network: MDBN = MODELS.build(network) if isinstance(network, dict) else network
        self.tile_size = tile_size

    def forward(
        self,
        inputs: Tensor,
        hr: Tensor | None = None,
        name: list[str] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Enlarge a batch.

        Args:
            inputs: Small images, (B, 3, H, W), from 0 to 1.
            hr: The large ones, (B, 3, scale * H, scale * W); not for 'tensor'.
            name: What messages call the images; for 'predict'.
            mode: 'tensor', 'loss' or 'predict'.

        Returns:
            For 'tensor' the output of the network. For 'loss' its mean absolute error, as
            ``dict(loss=...)``. For 'predict' a dict for each image: 'pred' and 'hr', uint8
            (3, scale * H, scale * W), and 'name'.

        Raises:
            ValueError: If the mode is none of these, or lacks the large images or their names,
                or a prediction is NaN or infinite.
        """
        if mode == 'tensor':
            return self.network(inputs)
        needed = dict(loss=dict(hr=hr), predict=dict(hr=hr, name=name)).get(mode, {})
        if missing := [key for key, value in needed.items() if value is None]:
            raise ValueError(f'mode={mode!r}: wanted {" and ".join(missing)}, too; found none.')
        if mode == 'loss':
            return dict(loss=l1_loss(self.network(inputs), hr))
        if mode == 'predict':
            pred = to_8_bit(enlarge(self.network, inputs, self.tile_size))
            return [
                dict(pred=p, hr=h, name=n)
                for p, h, n in zip(pred, to_8_bit(hr), name or (), strict=True)
            ]
        raise ValueError(f"mode={mode!r}: wanted 'tensor', 'loss' or 'predict'.")


def to_8_bit(images: Tensor) -> Tensor:
    """Round images of the range 0 to 1 to uint8; what is out of the range is clipped.

    Raises:
        ValueError: If a number is NaN or infinite, which would become black or white.
    """
    wrong = int((~images.isfinite()).sum())
    if wrong:
        raise ValueError(
            f'{wrong:,} of {images.numel():,} values of the large images are NaN or infinite: '
            'the weights are damaged, or their training diverged; take another checkpoint.'
        )
    return images.clamp(0, 1).mul(255).round().to(torch.uint8)


def _unit_range(value: Any) -> Any:
    is_image = isinstance(value, Tensor) and value.dtype == torch.uint8
    return value.float() / 255 if is_image else value
