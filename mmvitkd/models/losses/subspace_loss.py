"""SubspaceLoss: force each image's tokens into the teacher's leading directions."""

import torch
from torch import Tensor, nn

from ...registry import MODELS
from .align_features import FeaturesOrMap, align
from .subspace_overlap import directions_of, subspace_overlap


@MODELS.register_module()
class SubspaceLoss(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Rotation between the subspaces of student and teacher, image by image.

    ``1 - ||V_S^T V_T||_F^2 / d``, averaged over the images: V_S and V_T (C x d) are the d
    leading right singular vectors of an image's uncentred tokens. It is 0 where the student
    uses the teacher's own directions for every image, and 1 where it uses none of them. The
    energies along the directions do not count. This is what arXiv 2511.15572 says that a
    projector shared by all images cannot follow.

    Such a projector of a student w wide has a floor above 0, whatever the student; see
    :class:`~mmvitkd.analysis.functional.subspace_floor.SubspaceFloor`, and
    :class:`~mmvitkd.engine.hooks.SubspaceFloorHook`, which logs it.

    A direction without energy, as of an image of zeros, counts as orthogonal; the gradient is
    finite everywhere (:func:`~mmvitkd.models.losses.subspace_overlap.subspace_overlap`). As in
    the other losses both sides are first aligned; computed in float32 or above, also under
    autocast, with the teacher detached.

    Args:
        d: Dimension of the subspaces. A student behind a projector spans no more directions
            than it has channels, and one that is narrower than d is refused when it is built.
        loss_weight: Factor of the loss.
        eps: See :func:`~mmvitkd.models.losses.subspace_overlap.subspace_overlap`.

    Raises:
        ValueError: If ``d`` is below 1, or ``eps`` is not positive.
    """

    takes_features = True  # from `pairs`, instead of maps
    aligns_features = True  # by `align`, before anything else
    compares_values = False  # but directions: its relative error says nothing

    def __init__(self, d: int = 10, loss_weight: float = 1.0, eps: float = 1e-6) -> None:
        super().__init__()
        if d < 1:
            raise ValueError(f'd={d!r}: wanted 1 or more directions.')
        if eps <= 0:
            raise ValueError(f'eps={eps!r}: wanted a positive number.')
        self.d, self.loss_weight, self.eps = d, loss_weight, eps

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
            ValueError: If one is neither, the batches differ, or an image has fewer than ``d``
                tokens or channels.
        """
        student, teacher = (features.tokens for features in align(preds_S, preds_T))
        num_tokens, channels = student.shape[1:]
        if self.d > min(num_tokens, channels):
            raise ValueError(
                f'd={self.d} is more than {min(num_tokens, channels)}, the most directions '
                f'that {num_tokens} tokens of {channels} channels can have.'
            )
        with torch.autocast(student.device.type, enabled=False):
            basis = directions_of(teacher).right[..., : self.d]
            overlap = subspace_overlap(student, basis, self.d, self.eps)
        return self.loss_weight * (1 - overlap.mean() / self.d)

    def check_width(self, width: int) -> None:
        """Check the width of a student in front of its projector.

        Raises:
            ValueError: If its tokens cannot span ``d`` directions.
        """
        if self.d > width:
            raise ValueError(
                f'd={self.d} directions of a student that is {width} wide: its tokens span no '
                f'more than {width} in front of the projector. Wanted d of at most {width}.'
            )
