"""Teachers: images in, named tensors out."""

from .teacher import Teacher, build_teacher

__all__ = ['Teacher', 'build_teacher']
