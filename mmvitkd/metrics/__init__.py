"""Evaluation metrics."""

from .accuracy import Accuracy
from .feature_error import FeatureError
from .knn_accuracy import KNNAccuracy

__all__ = ['Accuracy', 'FeatureError', 'KNNAccuracy']
