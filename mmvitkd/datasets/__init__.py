"""What MMPretrain's data sets, samplers and transforms lack: a user's own folder of images."""

from .image_folder import ImageFolder
from .samplers.repeat_aug_sampler import RepeatAugSampler
from .transforms.load_image import LoadImage
from .transforms.load_random_resized_crop import LoadRandomResizedCrop
from .transforms.timm_rand_augment import TimmRandAugment

__all__ = [
    'ImageFolder',
    'LoadImage',
    'LoadRandomResizedCrop',
    'RepeatAugSampler',
    'TimmRandAugment',
]
