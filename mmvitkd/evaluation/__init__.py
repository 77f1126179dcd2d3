"""Metrics that MMPretrain lacks: accuracy where some images cannot be read."""

from .accuracy import Accuracy

__all__ = ['Accuracy']
