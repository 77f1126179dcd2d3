"""The blocks of a model; see :mod:`~mmvitkd.models.utils.adapters`."""

from .adapters import blocks_of, token_grid_of

__all__ = ['blocks_of', 'token_grid_of']
