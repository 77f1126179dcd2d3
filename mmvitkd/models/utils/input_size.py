"""The image size of a model; see :mod:`~mmvitkd.models.utils.adapters`."""

from .adapters import input_size_of

__all__ = ['input_size_of']
