"""Data sets and transforms that MMPretrain lacks: a user's own folder of images."""

from .image_folder import ImageFolder
from .load_image import LoadImage

__all__ = ['ImageFolder', 'LoadImage']
