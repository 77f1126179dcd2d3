"""Load a student or any model, classify images, count costs: what a notebook calls."""

from ..analysis.features.loaded_model import LoadedModel
from .count_cost import count_cost
from .load_model import load_model
from .load_student import load_student
from .predict import predict

__all__ = ['LoadedModel', 'count_cost', 'load_model', 'load_student', 'predict']
