"""Describe what a student without a head returns: an embedding and features."""

from typing import NamedTuple

import torch

from ..models.utils.adapters import adapter_for
from ..models.utils.features import Grid
from .student import Student


class Encoding(NamedTuple):
    """What an encoder makes of an image.

    Attributes:
        width: C, the number of channels of the embedding and of each feature.
        num_tokens: N, the number of features, one for each patch.
        grid: (H, W) of the patches, N = H x W, row by row; None if it is not known.
        embedding: What the embedding is, in words.
        features: What the features are, in words.
    """

    width: int
    num_tokens: int
    grid: Grid | None
    embedding: str
    features: str


def encoding_of(student: Student) -> Encoding:
    """Describe the outputs of a student without a head."""
    with torch.no_grad():
        _, features = student.model(student.images(1))
    _, num_tokens, width = features.shape
    grid = adapter_for(student.model).grid_at(student.image_input.size)
    return Encoding(width, num_tokens, grid, *_in_words(student))


def _in_words(student: Student) -> tuple[str, str]:
    """Return what the embedding is, and what the features are."""
    adapter, neck = adapter_for(student.model), student.model.neck
    pooled, tokens = adapter.features['embedding'], adapter.features['tokens']
    if neck is not None:
        projected = f'projected by the {type(neck).__name__}'
        of_neck = getattr(neck, 'pooling', 'mean')
        embedding = (
            f'the class token, {projected}' if of_neck == 'cls' else 'the mean of the features'
        )
        return embedding, f'the patch tokens, {projected}'
    normed = tokens.source in adapter.final_norms
    where = 'after the final norm' if normed else 'of the last block'
    embedding = (
        f'the class token {where}' if pooled.pool == 'cls' else 'the mean of the features'
    )
    return embedding, f'the patch tokens {where}'
