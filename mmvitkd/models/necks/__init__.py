"""Necks between a ViT backbone and a classification head."""

from .lift_projector import LiftProjector

__all__ = ['LiftProjector']
