"""Load a student or any model, classify images, evaluate features: what a notebook calls."""

from ..analysis.features.loaded_model import LoadedModel
from .count_cost import count_cost
from .evaluate_features import FeatureModels, evaluate_features
from .load_distillation import load_distillation
from .load_model import load_model
from .load_student import load_student
from .predict import predict

__all__ = [
    'FeatureModels',
    'LoadedModel',
    'count_cost',
    'evaluate_features',
    'load_distillation',
    'load_model',
    'load_student',
    'predict',
]
