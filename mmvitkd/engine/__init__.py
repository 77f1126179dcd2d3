"""Run a training: hooks, optimizers, logging, runner."""

from .hooks import (
    CheckpointHook,
    FiniteLossHook,
    RandomStateHook,
    RuntimeInfoHook,
    SEPHook,
    StudentEMAHook,
    TeacherAccuracyHook,
    UnreadableImagesHook,
    WatchdogHook,
)
from .logging import AsyncHistoryBuffer
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
    'FiniteLossHook',
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
