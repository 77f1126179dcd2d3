"""Measures of models and features: pure torch, no registry, no files."""

from .cost import Cost, cost_of

__all__ = ['Cost', 'cost_of']
