"""Describe how images are normalised, and convert from one normalisation to another."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Normalization(NamedTuple):
    """How pixels in [0, 255] become a model's input; per channel, in the model's order."""

    mean: Tensor
    std: Tensor
    to_rgb: bool


def normalization_by(preprocessor: nn.Module | None) -> Normalization | None:
    """Return the normalisation of a data preprocessor, or None if it does not normalise."""
    mean, std = getattr(preprocessor, 'mean', None), getattr(preprocessor, 'std', None)
    if not getattr(preprocessor, '_enable_normalize', False) or mean is None or std is None:
        return None
    to_rgb = bool(getattr(preprocessor, 'to_rgb', False))
    return Normalization(mean.flatten(), std.flatten(), to_rgb)


class Renormalize(nn.Module):  # type: ignore[misc]  # torch is not followed
    """``x * scale + shift`` per channel, after reversing the channels if asked.

    Args:
        scale: (C,), or None for no change.
        shift: (C,).
        flip: Whether to reverse the order of the channels.
    """

    scale: Tensor | None
    shift: Tensor | None

    def __init__(
        self,
        scale: Tensor | None = None,
        shift: Tensor | None = None,
        flip: bool = False,
    ) -> None:
        super().__init__()
        self.flip = flip
        self.register_buffer('scale', None if scale is None else scale.view(-1, 1, 1))
        self.register_buffer('shift', None if shift is None else shift.view(-1, 1, 1))

    @classmethod
    def between(
        cls, source: Normalization | None, target: Normalization | None
    ) -> 'Renormalize':
        """Return the step from one normalisation to another; no change if one is unknown."""
        if source is None or target is None:
            return cls()
        flip = source.to_rgb != target.to_rgb
        mean, std = source.mean.double(), source.std.double()
        if flip:
            mean, std = mean.flip(0), std.flip(0)
        scale = (std / target.std).float()
        shift = ((mean - target.mean) / target.std).float()
        same = torch.allclose(scale, torch.ones(())) and torch.allclose(
            shift, torch.zeros(()), atol=1e-6
        )
        return cls(flip=flip) if same else cls(scale, shift, flip)

    def forward(self, images: Tensor) -> Tensor:
        """Re-normalise images (B, C, H, W)."""
        if self.flip:
            images = images.flip(1)
        if self.scale is not None and self.shift is not None:
            images = images * self.scale + self.shift
        return images
