"""The student of a distillation, by itself: what is tested and shipped."""

from typing import Any

from mmengine.runner import Runner
from torch import nn

from .checkpoint import student_weights
from .strict_load import load_strict


def student_config(model: dict[str, Any]) -> dict[str, Any]:
    """The config of the student in the config of a distillation, or of a plain model."""
    return model.get('architecture', model)


def load_student(model: nn.Module, path: str, ema: bool = False) -> None:
    """Load the student's weights from a checkpoint of its training, strictly.

    Args:
        model: The student.
        path: A checkpoint of the distillation, or of the student alone.
        ema: Whether to take the exponential moving average.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or its weights are not the student's.
    """
    load_strict(model, student_weights(path, ema), f'checkpoint={path!r}')


def load_into_runner(runner: Runner, path: str, ema: bool = False) -> None:
    """Load the student's weights into a runner's model; see :func:`load_student`."""
    model = runner.model
    while hasattr(model, 'module'):  # DDP, test-time augmentation
        model = model.module
    load_student(model, path, ema)
    which = 'EMA weights' if ema else 'weights'
    runner.logger.info(f'Loaded the {which} of the student from {path}')
