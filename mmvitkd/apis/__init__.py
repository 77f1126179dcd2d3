"""What a notebook calls: load a student or any model, and ask a student about images."""

from .load_model import LoadedModel, load_model
from .load_student import load_student
from .predict import predict

__all__ = ['LoadedModel', 'load_model', 'load_student', 'predict']
