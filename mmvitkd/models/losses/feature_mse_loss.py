"""FeatureMSELoss: mean squared error between two features."""

import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import MODELS
from .align_features import FeaturesOrMap, align


@MODELS.register_module()
class FeatureMSELoss(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Mean squared error between features (arXiv 2511.15572, MSE loss).

    The wider one is average-pooled along its channels to the other's width, and the
    teacher's is interpolated to the student's grid where they differ; computed in float32,
    with the teacher detached.

    Args:
        loss_weight: Factor of the loss; published with 0.2.
    """

    takes_features = True  # from `pairs`, instead of maps
    aligns_features = True  # by `align`, before anything else

    def __init__(self, loss_weight: float = 1.0) -> None:
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
            A scalar.

        Raises:
            ValueError: If one is neither, or the batches differ.
        """
        student, teacher = align(preds_S, preds_T)
        if isinstance(preds_S, Tensor):  # the gradient of a map is laid out as a map
            return self.loss_weight * F.mse_loss(student.to_map(), teacher.to_map())
        return self.loss_weight * F.mse_loss(student.tokens, teacher.tokens)
