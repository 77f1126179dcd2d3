"""Hooks: checkpoints, random state, EMA, finite losses, unreadable images, the teacher."""

from .checkpoint_hook import CheckpointHook
from .finite_loss_hook import FiniteLossHook
from .random_state_hook import RandomStateHook
from .student_ema_hook import StudentEMAHook
from .teacher_accuracy_hook import TeacherAccuracyHook
from .unreadable_images_hook import UnreadableImagesHook

__all__ = [
    'CheckpointHook',
    'FiniteLossHook',
    'RandomStateHook',
    'StudentEMAHook',
    'TeacherAccuracyHook',
    'UnreadableImagesHook',
]
