"""Initialise students from pretrained narrow models."""

from .init_from_checkpoint import Initialization, narrow_start

__all__ = ['Initialization', 'narrow_start']
