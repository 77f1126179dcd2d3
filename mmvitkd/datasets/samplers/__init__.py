"""Samplers."""

from .repeat_aug_sampler import RepeatAugSampler
from .view_sampler import ViewSampler

__all__ = ['RepeatAugSampler', 'ViewSampler']
