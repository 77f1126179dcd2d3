"""What runs a training: hooks, checkpoints, random state, precision, launching."""

from .atomic_backend import AtomicLocalBackend
from .bf16_optim_wrapper import BF16OptimWrapper
from .hooks import (
    CheckpointHook,
    FiniteLossHook,
    RandomStateHook,
    SEPHook,
    StudentEMAHook,
    TeacherAccuracyHook,
    UnreadableImagesHook,
)

__all__ = [
    'AtomicLocalBackend',
    'BF16OptimWrapper',
    'CheckpointHook',
    'FiniteLossHook',
    'RandomStateHook',
    'SEPHook',
    'StudentEMAHook',
    'TeacherAccuracyHook',
    'UnreadableImagesHook',
]
