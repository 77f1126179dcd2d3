"""Teachers: images in, named tensors out."""

from .build import build_teacher
from .teacher import Teacher

__all__ = ['Teacher', 'build_teacher']
