"""Run a training: hooks, optimizers, logging, runner."""

from .hooks import (
    CheckpointHook,
    DiskFullHook,
    FiniteLossHook,
    RandomStateHook,
    RuntimeInfoHook,
    SEPHook,
    StudentEMAHook,
    TeacherAccuracyHook,
    UnreadableImagesHook,
    WatchdogHook,
)
from .logging import AsyncHistoryBuffer, LocalVisBackend
from .optimizers import (
    BF16OptimWrapper,
    MergedLearningRateDecayOptimWrapperConstructor,
    MergedOptimWrapperConstructor,
    MomentumAnnealingEMA,
)

__all__ = [
    'AsyncHistoryBuffer',
    'BF16OptimWrapper',
    'CheckpointHook',
    'DiskFullHook',
    'FiniteLossHook',
    'LocalVisBackend',
    'MergedLearningRateDecayOptimWrapperConstructor',
    'MergedOptimWrapperConstructor',
    'MomentumAnnealingEMA',
    'RandomStateHook',
    'RuntimeInfoHook',
    'SEPHook',
    'StudentEMAHook',
    'TeacherAccuracyHook',
    'UnreadableImagesHook',
    'WatchdogHook',
]
