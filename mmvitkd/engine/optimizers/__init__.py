"""Optimizer wrappers, their constructors, schedules, and averaged weights."""

from .bf16_optim_wrapper import BF16OptimWrapper
from .deit_cosine_lr import DeiTCosineLR
from .ema import MomentumAnnealingEMA
from .merged_constructor import (
    MergedLearningRateDecayOptimWrapperConstructor,
    MergedOptimWrapperConstructor,
)

__all__ = [
    'BF16OptimWrapper',
    'DeiTCosineLR',
    'MergedLearningRateDecayOptimWrapperConstructor',
    'MergedOptimWrapperConstructor',
    'MomentumAnnealingEMA',
]
