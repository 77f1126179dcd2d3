"""What a notebook calls: load an exported student, and ask it about images."""

from .load_student import load_student
from .predict import predict

__all__ = ['load_student', 'predict']
