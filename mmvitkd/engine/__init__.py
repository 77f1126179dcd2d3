"""What runs a training: hooks, checkpoints, random state, precision, launching."""

from ..checkpoint.atomic_backend import AtomicLocalBackend
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
from .optimizers.bf16_optim_wrapper import BF16OptimWrapper
from .optimizers.merged_constructor import (
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
