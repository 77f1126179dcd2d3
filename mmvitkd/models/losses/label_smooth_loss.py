"""Label smoothing that does not wait for the device."""

from mmpretrain.models import LabelSmoothLoss as _LabelSmoothLoss
from torch import Tensor

from ...registry import MODELS


@MODELS.register_module()
class LabelSmoothLoss(_LabelSmoothLoss):
    """MMPretrain's ``LabelSmoothLoss``, to the bit.

    MMPretrain's reads the largest label at every step to check it, which waits for the
    device. Here PyTorch checks all labels where they are: on a CPU by an error, on CUDA by
    an assertion.
    """

    def generate_one_hot_like_label(self, label: Tensor) -> Tensor:
        """(B,), (B, 1) -> (B, classes), float; what is one-hot already stays."""
        if label.dim() == 1 or label.shape[1:] == (1,):
            classes = label.new_zeros(len(label), self.num_classes)
            label = classes.scatter_(1, label.view(-1, 1).long(), 1)
        return label.float()
