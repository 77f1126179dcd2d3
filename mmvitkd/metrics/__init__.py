"""Evaluation metrics."""

from .accuracy import Accuracy
from .feature_error import FeatureError
from .knn_accuracy import KNNAccuracy
from .per_class import PerClass

__all__ = ['Accuracy', 'FeatureError', 'KNNAccuracy', 'PerClass']
