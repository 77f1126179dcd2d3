"""Load a student's weights into a model."""

from torch import nn

from .load_strict import load_strict
from .read import student_weights


def load_student(model: nn.Module, path: str, ema: bool = False) -> None:
    """Load the student's weights from a checkpoint of its training, strictly.

    Args:
        model: The student.
        path: A checkpoint of the distillation, or of the student alone.
        ema: Whether to take the exponential moving average.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or its weights do not fit the student.
    """
    load_strict(model, student_weights(path, ema), f'checkpoint={path!r}')
