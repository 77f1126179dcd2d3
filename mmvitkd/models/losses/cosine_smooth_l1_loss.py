"""CosineSmoothL1Loss: cosine and smooth L1 to a target with standardised channels."""

import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import MODELS
from .align_features import FeaturesOrMap, align
from .running_standardization import RunningStandardization


@MODELS.register_module()
class CosineSmoothL1Loss(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Cosine distance and smooth L1 of each token, to the teacher's standardised features.

    ``w (1 - cos) + (1 - w) smooth_l1``, averaged over tokens: w = 0.5 as in UNIC
    (arXiv 2408.05088), 0.9 as in RADIO's spatial loss (arXiv 2312.06709) and in Theia
    (arXiv 2407.20179). The teacher's channels are standardised by running statistics
    (:class:`~mmvitkd.models.losses.running_standardization.RunningStandardization`), so that a
    few large channels do not outweigh the others. They are saved with the run.

    As in the other losses, the wider one is first average-pooled along its channels, and the
    teacher's is interpolated to the student's grid; with a projector neither has to be pooled.
    Computed in float32, with the teacher detached.

    Args:
        loss_weight: Factor of the loss.
        cosine_weight: w.
        standardize: Whether the teacher's channels are standardised.
        momentum: The least weight of a new batch in the statistics.

    Raises:
        ValueError: If ``cosine_weight`` is not between 0 and 1, or ``momentum`` is not above 0
            and at most 1.
    """

    takes_features = True  # from `pairs`, instead of maps
    aligns_features = True  # by `align`, before anything else

    def __init__(
        self,
        loss_weight: float = 1.0,
        cosine_weight: float = 0.5,
        standardize: bool = True,
        momentum: float = 0.01,
    ) -> None:
        super().__init__()
        if not 0 <= cosine_weight <= 1:
            raise ValueError(f'cosine_weight={cosine_weight!r}: wanted 0 to 1.')
        self.loss_weight, self.cosine_weight = loss_weight, cosine_weight
        self.standardize = RunningStandardization(momentum) if standardize else nn.Identity()

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
        student, teacher = (features.tokens for features in align(preds_S, preds_T))
        target = self.standardize(teacher)
        cosine = 1 - F.cosine_similarity(student, target, dim=2).mean()
        distance = F.smooth_l1_loss(student, target)
        loss = self.cosine_weight * cosine + (1 - self.cosine_weight) * distance
        return self.loss_weight * loss

    def compared(self, preds_S: FeaturesOrMap, preds_T: FeaturesOrMap) -> tuple[Tensor, Tensor]:
        """Return both sides as tokens (B, N, C), as they are compared; update no statistic."""
        student, teacher = (features.tokens for features in align(preds_S, preds_T))
        if isinstance(self.standardize, RunningStandardization):
            teacher = self.standardize.without_update(teacher)
        return student, teacher
