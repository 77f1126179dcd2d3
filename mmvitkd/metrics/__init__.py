"""Evaluation metrics."""

from .accuracy import Accuracy
from .per_class import PerClass

__all__ = ['Accuracy', 'PerClass']
