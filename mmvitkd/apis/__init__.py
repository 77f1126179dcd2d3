"""Load any model, classify or embed images, evaluate features: what a notebook calls."""

from ..analysis.features.loaded_model import LoadedModel
from .count_cost import count_cost
from .embed import Embeddings, embed
from .evaluate_features import FeatureModels, evaluate_features
from .load_distillation import load_distillation
from .load_model import load_model
from .load_student import load_student
from .nearest_neighbours import nearest_neighbours
from .predict import predict

__all__ = [
    'Embeddings',
    'FeatureModels',
    'LoadedModel',
    'count_cost',
    'embed',
    'evaluate_features',
    'load_distillation',
    'load_model',
    'load_student',
    'nearest_neighbours',
    'predict',
]
