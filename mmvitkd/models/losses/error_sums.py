"""Measure how much of a target a student explains, next to the target's mean token alone."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...utils.dtypes import at_least_float32
from ..utils.features import Features
from .align_features import FeaturesOrMap, align

# The least energy, so that a target of zeros gives numbers.
TINY = torch.finfo(torch.float64).tiny


class RelativeErrors(NamedTuple):
    """The errors of a student, as float64 tensors without a dimension.

    Attributes:
        rel_error: ``||S - T||^2 / ||T||^2`` over all tokens; 0 is perfect, 1 as bad as zeros.
        r2: ``1 - ||S - T||^2 / ||T - m||^2``; 1 is perfect, 0 as good as the mean token m,
            and less is worse than that.
        mean_token: ``||T - m||^2 / ||T||^2``, the relative error of the mean token m, which
            is one vector for all images and positions.
    """

    rel_error: Tensor
    r2: Tensor
    mean_token: Tensor


def compared_features(loss: nn.Module, preds_S: Any, preds_T: Any) -> tuple[Tensor, Tensor]:
    """Return both sides as a loss compares them, without gradient.

    A loss that changes its inputs before it compares them says so: by a method
    ``compared(preds_S, preds_T)``, which returns both sides and changes no state, or by
    ``aligns_features = True`` for :func:`~mmvitkd.models.losses.align`. Other losses compare
    features of one shape.

    Args:
        loss: The loss.
        preds_S: What it is given of the student.
        preds_T: The same of the teacher.

    Returns:
        Tokens (B, N, C) of the student and of the teacher, in at least float32.

    Raises:
        ValueError: If these are no features, or not of one shape; or if the loss compares
            something else of them, and says so by ``compares_values = False``.
    """
    if not getattr(loss, 'compares_values', True):
        raise ValueError(f'{type(loss).__name__} does not compare the values of features')
    with torch.no_grad(), torch.autocast(_device_type(preds_T), enabled=False):
        if hasattr(loss, 'compared'):
            sides = loss.compared(preds_S, preds_T)
        elif getattr(loss, 'aligns_features', False):
            sides = align(preds_S, preds_T)
        else:
            sides = preds_S, preds_T
        student, teacher = (_tokens(side) for side in sides)
    if student.shape != teacher.shape:
        raise ValueError(
            f'{type(loss).__name__} compares {tuple(student.shape)} with {tuple(teacher.shape)}'
        )
    return student, teacher


def error_sums(student: Tensor, teacher: Tensor) -> Tensor:
    """Sum what relative errors are computed from; sums of several batches can be added.

    Args:
        student: Tokens (B, N, C).
        teacher: The same.

    Returns:
        (3 + C,) in float64, on the same device: the squared error, the energy of the target,
        the number of tokens, and the sum of the target's tokens.
    """
    with torch.no_grad():
        norms = [
            torch.linalg.vector_norm(x, dtype=torch.float64)
            for x in (student - teacher, teacher)
        ]
        total = teacher.sum((0, 1), dtype=torch.float64)
        count = total.new_full((1,), teacher.shape[0] * teacher.shape[1])
        return torch.cat([torch.stack(norms).square(), count, total])


def relative_errors(sums: Tensor, mean_token: Tensor | None = None) -> RelativeErrors:
    """Return the errors of what was summed.

    Args:
        sums: (3 + C,), see :func:`error_sums`.
        mean_token: The mean token m (C,); None for that of what was summed.
    """
    error, energy, count, total = sums[0], sums[1], sums[2], sums[3:]
    m = total / count if mean_token is None else mean_token
    rest = (energy - 2 * (m @ total) + count * (m @ m)).clamp_min(TINY)
    energy = energy.clamp_min(TINY)
    return RelativeErrors(error / energy, 1 - error / rest, rest / energy)


def _tokens(side: FeaturesOrMap) -> Tensor:
    if isinstance(side, Features):
        return at_least_float32(side.tokens)
    if not isinstance(side, Tensor):
        raise ValueError(f'found a {type(side).__name__}, wanted features')
    if side.dim() == 4:
        return at_least_float32(side.flatten(2).transpose(1, 2))
    if side.dim() != 3:
        raise ValueError(f'found {tuple(side.shape)}, wanted tokens (B, N, C) or a map')
    return at_least_float32(side)


def _device_type(preds: Any) -> str:
    tensor = preds.tokens if isinstance(preds, Features) else preds
    return tensor.device.type if isinstance(tensor, Tensor) else 'cpu'
