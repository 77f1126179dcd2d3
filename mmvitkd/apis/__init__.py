"""Load a student or any model, and classify images: what a notebook calls."""

from ..analysis.features.loaded_model import LoadedModel
from .load_model import load_model
from .load_student import load_student
from .predict import predict

__all__ = ['LoadedModel', 'load_model', 'load_student', 'predict']
