"""Compare an exported model's logits with those of the model that was trained."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .student import Student


def check_logits(
    student: Student,
    classify: Callable[[Tensor], Tensor],
    tolerance: float,
    what: str,
    batch_sizes: Sequence[int] = (2,),
) -> None:
    """Check that an exported model gives the logits of the trained one.

    Args:
        student: The student.
        classify: The exported model: normalised images (B, 3, H, W) to logits (B, classes).
        tolerance: The largest absolute and relative difference; 0 for equal logits.
        what: The exported model, for the message.
        batch_sizes: The batch sizes to try.

    Raises:
        ValueError: If logits differ.
    """
    for batch_size in batch_sizes:
        images = student.images(batch_size)
        with torch.no_grad():
            wanted, found = student.model(images), classify(images)
        if not torch.allclose(wanted, found, rtol=tolerance, atol=tolerance):
            difference = (wanted - found).abs().max().item()
            raise ValueError(
                f'{what}: at batch size {batch_size} its logits differ from those of the '
                f'trained model by up to {difference:.3g}, wanted at most {tolerance:g}.'
            )
