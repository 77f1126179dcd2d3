"""Teachers: a batch in, named tensors out."""

from .base_teacher import BaseTeacher
from .build import build_teacher, make_teacher
from .teacher import Teacher

__all__ = ['BaseTeacher', 'Teacher', 'build_teacher', 'make_teacher']
