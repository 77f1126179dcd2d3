"""Run a training: hooks, optimizers, logging, runner."""

from .hooks import (
    CheckpointHook,
    FiniteLossHook,
    PreemptionHook,
    RandomStateHook,
    RuntimeInfoHook,
    SEPHook,
    StudentEMAHook,
    TeacherAccuracyHook,
    UnreadableImagesHook,
)
from .logging import AsyncHistoryBuffer
from .optimizers import (
    BF16OptimWrapper,
    MergedLearningRateDecayOptimWrapperConstructor,
    MergedOptimWrapperConstructor,
    MomentumAnnealingEMA,
)
from .runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

__all__ = [
    'AsyncHistoryBuffer',
    'BF16OptimWrapper',
    'CheckpointHook',
    'EpochBasedTrainLoop',
    'FiniteLossHook',
    'IterBasedTrainLoop',
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
    'UnreadableImagesHook',
]
