"""The normalisation of a preprocessor; see :mod:`~mmvitkd.models.utils.normalization`."""

from ..utils.normalization import normalization_by

__all__ = ['normalization_by']
