"""Teachers: images in, named tensors out."""

from .teacher import Teacher

__all__ = ['Teacher']
