"""Re-normalisation: from the student's mean and std to the teacher's."""

from typing import NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn


class Normalization(NamedTuple):
    """How pixels in [0, 255] become a model's input; per channel, in the model's order."""

    mean: Tensor
    std: Tensor
    to_rgb: bool


def normalization_of(model: nn.Module) -> Normalization | None:
    """The normalisation a model was trained with, or None where it does not say.

    Its ``data_preprocessor`` says it; else timm's ``pretrained_cfg`` (for [0, 1], RGB).
    """
    preprocessor = getattr(model, 'data_preprocessor', None)
    found = normalization_by(preprocessor)
    if found is not None:
        return found
    timm_cfg = getattr(getattr(model, 'model', None), 'pretrained_cfg', None) or {}
    if 'mean' in timm_cfg and 'std' in timm_cfg:
        mean, std = (torch.tensor(timm_cfg[k]) * 255 for k in ('mean', 'std'))
        return Normalization(mean, std, to_rgb=True)
    return None


def normalization_by(preprocessor: nn.Module | None) -> Normalization | None:
    """The normalisation that a data preprocessor does, or None where it does none."""
    if not getattr(preprocessor, '_enable_normalize', False):
        return None
    mean, std = preprocessor.mean.flatten(), preprocessor.std.flatten()  # type: ignore
    return Normalization(mean, std, bool(getattr(preprocessor, 'to_rgb', False)))


class Renormalize(nn.Module):
    """``x * scale + shift`` per channel, after reversing the channels if asked.

    Args:
        scale: (C,), or None where nothing has to be done.
        shift: (C,).
        flip: Whether the teacher wants the channels in reversed order.
    """

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
    def between(cls, student: nn.Module | None, teacher: nn.Module) -> 'Renormalize':
        """From what the student's data preprocessor does to what a teacher wants."""
        source, target = normalization_by(student), normalization_of(teacher)
        if source is None or target is None:
            who = 'student' if source is None else 'teacher'
            print_log(
                f"The {who} states no mean and std: the teacher gets the student's input "
                'as it is.',
                logger='current',
            )
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
        """(B, C, H, W) -> (B, C, H, W)."""
        if self.flip:
            images = images.flip(1)
        if self.scale is not None:
            images = images * self.scale + self.shift
        return images
