"""Figures and tables from results."""

from .runs import Run, draw_accuracy, draw_losses

__all__ = ['Run', 'draw_accuracy', 'draw_losses']
