"""Hooks: checkpoints, random state, EMA and finite losses."""

from .checkpoint_hook import CheckpointHook
from .finite_loss_hook import FiniteLossHook
from .random_state_hook import RandomStateHook
from .student_ema_hook import StudentEMAHook

__all__ = ['CheckpointHook', 'FiniteLossHook', 'RandomStateHook', 'StudentEMAHook']
