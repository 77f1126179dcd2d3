"""Image transforms."""

from .load_image import LoadImage
from .load_random_resized_crop import LoadRandomResizedCrop
from .timm_rand_augment import TimmRandAugment

__all__ = ['LoadImage', 'LoadRandomResizedCrop', 'TimmRandAugment']
