"""Run a training: hooks, optimizers, logging, runner."""

from .hooks import (
    CheckpointHook,
    DiskFullHook,
    FiniteLossHook,
    LoggerHook,
    PreemptionHook,
    RandomStateHook,
    RuntimeInfoHook,
    SEPHook,
    StudentEMAHook,
    TeacherAccuracyHook,
    TeacherCacheHook,
    UnreadableImagesHook,
    WatchdogHook,
)
from .logging import AsyncHistoryBuffer, LocalVisBackend, MLflowVisBackend
from .optimizers import (
    BF16OptimWrapper,
    DeiTCosineLR,
    MergedLearningRateDecayOptimWrapperConstructor,
    MergedOptimWrapperConstructor,
    MomentumAnnealingEMA,
)
from .runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

__all__ = [
    'AsyncHistoryBuffer',
    'BF16OptimWrapper',
    'CheckpointHook',
    'DeiTCosineLR',
    'DiskFullHook',
    'EpochBasedTrainLoop',
    'FiniteLossHook',
    'IterBasedTrainLoop',
    'LocalVisBackend',
    'LoggerHook',
    'MLflowVisBackend',
    'MergedLearningRateDecayOptimWrapperConstructor',
    'MergedOptimWrapperConstructor',
    'MomentumAnnealingEMA',
    'PreemptionHook',
    'RandomStateHook',
    'Runner',
    'RuntimeInfoHook',
    'SEPHook',
    'StudentEMAHook',
    'TeacherAccuracyHook',
    'TeacherCacheHook',
    'UnreadableImagesHook',
    'WatchdogHook',
]
