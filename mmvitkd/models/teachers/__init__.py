"""Teachers: a batch in, named tensors out."""

from .base_teacher import BaseTeacher
from .build import build_teacher, make_teacher
from .cached_teacher import CachedTeacher
from .teacher import Teacher

__all__ = ['BaseTeacher', 'CachedTeacher', 'Teacher', 'build_teacher', 'make_teacher']
