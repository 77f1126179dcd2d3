"""Hooks of a training run."""

from .checkpoint_hook import CheckpointHook
from .disk_full_hook import DiskFullHook
from .feature_error_hook import FeatureErrorHook
from .finite_loss_hook import FiniteLossHook
from .logger_hook import LoggerHook
from .preemption_hook import PreemptionHook
from .random_state_hook import RandomStateHook
from .runtime_info_hook import RuntimeInfoHook
from .sep_hook import SEPHook
from .student_ema_hook import StudentEMAHook
from .subspace_floor_hook import SubspaceFloorHook
from .target_statistics_hook import TargetStatisticsHook
from .teacher_accuracy_hook import TeacherAccuracyHook
from .teacher_cache_hook import TeacherCacheHook
from .unreadable_images_hook import UnreadableImagesHook
from .watchdog_hook import WatchdogHook

__all__ = [
    'CheckpointHook',
    'DiskFullHook',
    'FeatureErrorHook',
    'FiniteLossHook',
    'LoggerHook',
    'PreemptionHook',
    'RandomStateHook',
    'RuntimeInfoHook',
    'SEPHook',
    'StudentEMAHook',
    'SubspaceFloorHook',
    'TargetStatisticsHook',
    'TeacherAccuracyHook',
    'TeacherCacheHook',
    'UnreadableImagesHook',
    'WatchdogHook',
]
