"""FeatureMSELoss: mean squared error between two feature maps."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ...registry import MODELS
from .align import align_maps


@MODELS.register_module()
class FeatureMSELoss(nn.Module):
    """Mean squared error between feature maps (arXiv 2511.15572, MSE loss).

    The wider map is average-pooled along its channels to the other's width, and the
    teacher's is interpolated to the student's grid where they differ; the rest is computed
    in float32 and the teacher is detached.

    Args:
        loss_weight: Factor of the loss; published with 0.2.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, preds_S: torch.Tensor, preds_T: torch.Tensor) -> torch.Tensor:
        """Compute the loss.

        Args:
            preds_S: The student's map (B, C_s, H, W).
            preds_T: The teacher's map (B, C_t, H', W').

        Returns:
            A scalar.

        Raises:
            ValueError: A map is not 4-D, or the batches differ.
        """
        student, teacher = align_maps(preds_S, preds_T)
        return self.loss_weight * F.mse_loss(student, teacher)
