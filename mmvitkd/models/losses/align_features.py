"""Bring a student's and a teacher's features to one width and one grid, in float32."""

from typing import TypeAlias

import torch.nn.functional as F
from torch import Tensor

from ...utils.dtypes import at_least_float32
from ..utils.features import Features, Grid, features_of_map

# What a loss takes: features, or a map (B, C, H, W).
FeaturesOrMap: TypeAlias = Features | Tensor


def align(preds_S: FeaturesOrMap, preds_T: FeaturesOrMap) -> tuple[Features, Features]:
    """Pool the wider one along its channels; interpolate the teacher's to the student's grid.

    Channels (arXiv 2511.15572, losses): adaptive average pooling, as in PyTorch: channel i
    of C' is the mean of channels ``floor(i C / C')`` to ``ceil((i + 1) C / C') - 1`` of the
    wider one's C. The paper pools the teacher; its released code pools the student where
    that is the wider one.

    Grid (not in the papers, whose grids agree): the teacher's map is interpolated,
    bilinear and antialiased, as an image would be resized.

    Args:
        preds_S: The student's features, tokens (B, N, C_s) with their grid, or map
            (B, C_s, H, W).
        preds_T: The teacher's, tokens (B, N', C_t) with their grid, or map (B, C_t, H', W').

    Returns:
        Both as tokens (B, N, min(C_s, C_t)) with the student's grid, half precision raised to
        float32 (a sum of squares overflows float16), the teacher's detached.

    Raises:
        ValueError: If one is neither, or the batches differ; the message has both shapes.
    """
    student, teacher = _features(preds_S), _features(preds_T)
    if student is None or teacher is None:
        raise ValueError(
            'preds_S and preds_T must be maps (B, C, H, W), or tokens (B, N, C) with their '
            f'grid, found {_shape(preds_S)} and {_shape(preds_T)}'
        )
    if len(student.tokens) != len(teacher.tokens):
        raise ValueError(
            f'preds_S and preds_T must agree in batch, found {_shape(preds_S)} and '
            f'{_shape(preds_T)}'
        )
    s, t = at_least_float32(student.tokens), at_least_float32(teacher.tokens.detach())
    channels = min(s.shape[2], t.shape[2])
    teacher = fit_to(Features(t, teacher.grid), student.grid, channels)
    return Features(_pool(s, channels), student.grid), teacher


def fit_to(features: Features, grid: Grid, channels: int) -> Features:
    """Pool features (B, N, C) to ``channels``, and interpolate them to a grid (H, W).

    What :func:`align` does to a teacher's: doing it twice changes nothing.
    """
    return _resize(Features(_pool(features.tokens, channels), features.grid), grid)


def _features(preds: FeaturesOrMap) -> Features | None:
    if isinstance(preds, Features):
        return preds
    return features_of_map(preds) if isinstance(preds, Tensor) and preds.dim() == 4 else None


def _shape(preds: FeaturesOrMap) -> str:
    if isinstance(preds, Features):
        return f'{tuple(preds.tokens.shape)} on {preds.grid}'
    return str(tuple(preds.shape) if isinstance(preds, Tensor) else type(preds).__name__)


def _pool(tokens: Tensor, channels: int) -> Tensor:
    """(B, N, C) -> (B, N, channels)."""
    if tokens.shape[2] == channels:
        return tokens
    return F.adaptive_avg_pool1d(tokens, channels)


def _resize(features: Features, grid: Grid) -> Features:
    if features.grid == grid:
        return features
    resized = F.interpolate(features.to_map(), grid, mode='bilinear', antialias=True)
    return features_of_map(resized)
