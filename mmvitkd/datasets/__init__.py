"""Data sets, samplers and transforms that MMPretrain does not have."""

from .image_folder import ImageFolder
from .samplers import RepeatAugSampler, ViewSampler
from .seeded_samples import SeededSamples
from .transforms import LoadImage, LoadRandomResizedCrop, TimmRandAugment

__all__ = [
    'ImageFolder',
    'LoadImage',
    'LoadRandomResizedCrop',
    'RepeatAugSampler',
    'SeededSamples',
    'TimmRandAugment',
    'ViewSampler',
]
