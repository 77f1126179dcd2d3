"""Optimizer wrappers, their constructors, and averaged weights."""

from .bf16_optim_wrapper import BF16OptimWrapper
from .ema import MomentumAnnealingEMA
from .merged_constructor import (
    MergedLearningRateDecayOptimWrapperConstructor,
    MergedOptimWrapperConstructor,
)

__all__ = [
    'BF16OptimWrapper',
    'MergedLearningRateDecayOptimWrapperConstructor',
    'MergedOptimWrapperConstructor',
    'MomentumAnnealingEMA',
]
