"""Check, prepare and end a run."""

from .launch import cleanup, init_distributed, set_dataloaders, set_local_rank, set_work_dir
from .load_into_runner import load_into_runner
from .loops import EpochBasedTrainLoop, IterBasedTrainLoop
from .preflight import check_checkpoint, check_data, check_schedule
from .runner import Runner

__all__ = [
    'EpochBasedTrainLoop',
    'IterBasedTrainLoop',
    'Runner',
    'check_checkpoint',
    'check_data',
    'check_schedule',
    'cleanup',
    'init_distributed',
    'load_into_runner',
    'set_dataloaders',
    'set_local_rank',
    'set_work_dir',
]
