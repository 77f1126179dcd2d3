"""SpectralLoss: mean squared error between the spatial spectra of two features."""

import torch
from torch import Tensor, nn

from ...registry import MODELS
from ..utils.features import Features
from .align_features import FeaturesOrMap, align


@MODELS.register_module()
class SpectralLoss(nn.Module):  # type: ignore[misc]  # torch is not followed
    """SpectralKD's loss (arXiv 2412.19055; as used in arXiv 2511.15572).

    The orthonormal 2-D real FFT of both over the token grid, then the mean squared error
    over all real and imaginary parts. The wider one is average-pooled along its channels
    first; computed in float32, with the teacher detached.

    By Parseval it is a re-weighted spatial mean squared error. Of the W // 2 + 1 stored
    columns of an H x W grid's spectrum, column 0 and, for even W, column W / 2 weigh
    ``W / (2 (W // 2 + 1))``; the others, which stand for two columns of the full
    spectrum, half of that: 0.875 and 0.4375 on 14 x 14. So one ``loss_weight`` does not
    mean one strength for both losses.

    Args:
        loss_weight: Factor of the loss; published with 0.2 for plain ViTs.
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
        # The transform is linear: the difference's is the difference of both.
        difference = Features(student.tokens - teacher.tokens, student.grid).to_map()
        spectrum = torch.fft.rfft2(difference, norm='ortho')
        return self.loss_weight * torch.view_as_real(spectrum).square().mean()
