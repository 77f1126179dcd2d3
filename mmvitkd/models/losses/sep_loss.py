"""SEPLoss: force each token's energy to the teacher's shares of its channel frequencies."""

import torch
from torch import Tensor, nn

from ...registry import MODELS
from ..utils.channel_power import half_power, ordered_power
from .align_features import FeaturesOrMap, align


@MODELS.register_module()
class SEPLoss(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Mean squared distance of the tokens' spectral energy patterns (SEP, arXiv 2511.15572).

    A token's curve is the cumulative share of the energies ``|F_k|^2`` of its real FFT over the
    C channels, in C // 2 + 1 bins from DC up, conjugate pairs doubled; the loss is the mean of
    the squared differences over bins and tokens. Tokens of zeros, or the same in all channels,
    on either side, are left out: their curves say nothing. NaN or infinity makes the loss NaN.

    Curves differ by shares of 1, so that the gradient is far below that of the MSE (on the
    digits 1/32 of it before training, 1/450 after it): weights of 100 to 1000 are usual. The
    order of the channels is arbitrary; that this is a target at all is the paper's claim. As in
    the other losses both sides are first aligned; computed in float32 or above, also under
    autocast, with the teacher detached.

    Args:
        loss_weight: Factor of the loss.
    """

    takes_features = True  # from `pairs`, instead of maps
    aligns_features = True  # by `align`, before anything else
    compares_values = False  # but shares of energy: its relative error says nothing

    def __init__(self, loss_weight: float = 100.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, preds_S: FeaturesOrMap, preds_T: FeaturesOrMap) -> Tensor:
        """Compute the loss.

        Args:
            preds_S: The student's features, tokens (B, N, C_s) with their grid, or map
                (B, C_s, H, W).
            preds_T: The teacher's, tokens (B, N', C_t) with their grid, or map
                (B, C_t, H', W').

        Returns:
            A scalar; 0 if no token counts.

        Raises:
            ValueError: If one is neither, or the batches differ.
        """
        student, teacher = (features.tokens for features in align(preds_S, preds_T))
        with torch.autocast(student.device.type, enabled=False):
            distances = sep_distances(student, teacher)
        return self.loss_weight * distances


def sep_distances(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean squared distance of the tokens' curves, without ``loss_weight``.

    Args:
        student: (..., C), in float32 or float64.
        teacher: The same.

    Returns:
        A scalar.
    """
    is_finite = student.isfinite().all(-1) & teacher.isfinite().all(-1)
    counts = _varies(student) & _varies(teacher) | ~is_finite
    # Where a token does not count, its curve is of ones: the gradient of 0 / 0 is NaN.
    sides = (x.where(counts[..., None], 1) for x in (student, teacher))
    gaps = torch.sub(*(_curves(side) for side in sides)).square().mean(-1)
    return gaps.sum() / counts.sum().clamp_min(1)


def _varies(tokens: Tensor) -> Tensor:
    """Return which tokens differ from channel to channel by more than rounding."""
    tokens = tokens.detach()
    spread = tokens.amax(-1) - tokens.amin(-1)
    eps = torch.finfo(tokens.dtype).eps * tokens.shape[-1]
    return spread > eps * tokens.abs().amax(-1)


def _curves(tokens: Tensor) -> Tensor:
    """(..., C) -> (..., C // 2 + 1)."""
    # At a maximum of 1, no energy overflows or vanishes; shares do not depend on it.
    tokens = tokens / tokens.detach().abs().amax(-1, keepdim=True)
    energy = ordered_power(half_power(tokens), tokens.shape[-1], 'folded')
    total = energy.sum(-1, keepdim=True).clamp_min(torch.finfo(energy.dtype).tiny)
    return energy.cumsum(-1) / total
