"""What runs a training: hooks, checkpoints, random state, precision, launching."""

from .atomic_backend import AtomicLocalBackend
from .bf16_optim_wrapper import BF16OptimWrapper
from .hooks import (
    CheckpointHook,
    FiniteLossHook,
    RandomStateHook,
    RuntimeInfoHook,
    SEPHook,
    StudentEMAHook,
    TeacherAccuracyHook,
    UnreadableImagesHook,
)
from .merged_groups import (
    MergedLearningRateDecayOptimWrapperConstructor,
    MergedOptimWrapperConstructor,
)

__all__ = [
    'AtomicLocalBackend',
    'BF16OptimWrapper',
    'CheckpointHook',
    'FiniteLossHook',
    'MergedLearningRateDecayOptimWrapperConstructor',
    'MergedOptimWrapperConstructor',
    'RandomStateHook',
    'RuntimeInfoHook',
    'SEPHook',
    'StudentEMAHook',
    'TeacherAccuracyHook',
    'UnreadableImagesHook',
]
