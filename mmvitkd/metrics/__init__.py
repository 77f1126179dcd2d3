"""Evaluation metrics."""

from .accuracy import Accuracy
from .knn_accuracy import KNNAccuracy
from .per_class import PerClass

__all__ = ['Accuracy', 'KNNAccuracy', 'PerClass']
