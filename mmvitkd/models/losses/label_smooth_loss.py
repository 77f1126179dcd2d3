"""Label smoothing without host-device synchronisation."""

from mmpretrain.models import LabelSmoothLoss as _LabelSmoothLoss
from torch import Tensor

from ...registry import MODELS


@MODELS.register_module()
class LabelSmoothLoss(_LabelSmoothLoss):  # type: ignore[misc]  # MMPretrain is untyped
    """MMPretrain's ``LabelSmoothLoss``, equal to the bit.

    MMPretrain's reads the largest label at every step to check it, which waits for the
    device. Here PyTorch checks all labels on their device: on a CPU by an error, on CUDA by
    an assertion.
    """

    def generate_one_hot_like_label(self, label: Tensor) -> Tensor:
        """Turn labels (B,) or (B, 1) into (B, classes), float; one-hot labels are kept."""
        if label.dim() == 1 or label.shape[1:] == (1,):
            classes = label.new_zeros(len(label), self.num_classes)
            label = classes.scatter_(1, label.view(-1, 1).long(), 1)
        return label.float()
