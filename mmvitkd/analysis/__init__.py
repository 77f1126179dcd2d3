"""Measures of models and features: no registry, no files."""

from .cost import Cost, DistillationCost, cost_of, distillation_cost_of

__all__ = ['Cost', 'DistillationCost', 'cost_of', 'distillation_cost_of']
