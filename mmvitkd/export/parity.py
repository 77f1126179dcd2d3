"""Compare what an exported model returns with what the model of the training returns."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .student import Student


def check_outputs(
    student: Student,
    run: Callable[[Tensor], Tensor | Sequence[Tensor]],
    tolerance: float,
    what: str,
    batch_sizes: Sequence[int] = (2,),
) -> None:
    """Check that an exported model returns what the trained one does.

    Args:
        student: The student.
        run: The exported model: normalised images (B, 3, H, W) to ``student.outputs``, a
            tensor or several.
        tolerance: The largest absolute and relative difference; 0 for equal outputs.
        what: The exported model, for the message.
        batch_sizes: The batch sizes to try.

    Raises:
        ValueError: If an output differs.
    """
    for batch_size in batch_sizes:
        images = student.images(batch_size)
        with torch.no_grad():
            wanted, found = as_list(student.model(images)), as_list(run(images))
        for name, one, two in zip(student.outputs, wanted, found, strict=True):
            if one.shape != two.shape:
                raise ValueError(
                    f'{what}: at batch size {batch_size} its {name}: {tuple(two.shape)}, '
                    f'wanted {tuple(one.shape)} as of the trained model.'
                )
            if not torch.allclose(one, two, rtol=tolerance, atol=tolerance):
                difference = (one - two).abs().max().item()
                raise ValueError(
                    f'{what}: at batch size {batch_size} its {name} and the trained '
                    f"model's differ by up to {difference:.3g}, wanted at most {tolerance:g}."
                )


def as_list(output: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """Return what a model returns as a list of tensors."""
    return [output] if isinstance(output, Tensor) else list(output)
