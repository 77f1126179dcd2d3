"""Brings a student's and a teacher's map to one width and one grid, in at least float32."""

import torch
import torch.nn.functional as F

from ...utils.dtypes import at_least_float32


def align_maps(
    preds_S: torch.Tensor, preds_T: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average-pool the wider map along its channels; give the teacher's the student's grid.

    Channels (arXiv 2511.15572, losses): adaptive average pooling, as in PyTorch: channel i
    of C' is the mean of channels ``floor(i C / C')`` to ``ceil((i + 1) C / C') - 1`` of the
    wider map's C. The paper pools the teacher; its released code pools the student where
    that is the wider one.

    Grid (not in the papers, whose grids agree): the teacher's map is interpolated,
    bilinear and antialiased, as an image would be resized.

    Args:
        preds_S: The student's map (B, C_s, H, W).
        preds_T: The teacher's map (B, C_t, H', W').

    Returns:
        Both maps as (B, min(C_s, C_t), H, W), half precision raised to float32, the
        teacher's detached.

    Raises:
        ValueError: A map is not 4-D, or the batches differ; names both shapes.
    """
    shape_s, shape_t = tuple(preds_S.shape), tuple(preds_T.shape)
    if len(shape_s) != 4 or len(shape_t) != 4:
        raise ValueError(
            f'preds_S and preds_T must be maps (B, C, H, W), found {shape_s} and {shape_t}'
        )
    if shape_s[0] != shape_t[0]:
        raise ValueError(
            f'preds_S and preds_T must agree in batch, found {shape_s} and {shape_t}'
        )
    # A sum over a map overflows float16; rfft2 on a CPU takes no half precision.
    student, teacher = at_least_float32(preds_S), at_least_float32(preds_T.detach())
    channels = min(shape_s[1], shape_t[1])
    student, teacher = _pool(student, channels), _pool(teacher, channels)
    return student, _resize(teacher, shape_s[2:])


def _pool(x: torch.Tensor, channels: int) -> torch.Tensor:
    """(B, C, H, W) -> (B, channels, H, W)."""
    if x.shape[1] == channels:
        return x
    # A map made of tokens has its channels innermost in memory: no copy here.
    pooled = F.adaptive_avg_pool1d(x.flatten(2).transpose(1, 2), channels)
    return pooled.transpose(1, 2).unflatten(2, x.shape[2:])


def _resize(x: torch.Tensor, grid: tuple[int, ...]) -> torch.Tensor:
    """(B, C, H', W') -> (B, C, H, W)."""
    if tuple(x.shape[2:]) == grid:
        return x
    return F.interpolate(x, grid, mode='bilinear', antialias=True)
