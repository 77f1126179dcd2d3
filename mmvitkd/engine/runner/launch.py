"""Start and end a run: loaders that can resume, gloo without CUDA, a clean exit."""

import logging
import os
import os.path as osp
import signal
import sys
import time
from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta
from typing import NoReturn

import torch
import torch.distributed as dist
from mmengine.config import Config

from ...utils.die_with_parent import die_with_parent
from ...utils.errors import KeyedValueError
from ...utils.folder_lock import folder_lock

# Defaults of a data loader.
DATALOADER = dict(pin_memory=True, collate_fn=dict(type='default_collate'))
PREEMPTED = 75  # EX_TEMPFAIL of sysexits.h: try again later
INTERRUPTED = 130  # a shell's after Ctrl-C: tools/train.py leaves with it before training
# Where launchers put the rank of a process.
RANKS = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')


def set_dataloaders(cfg: Config, no_pin_memory: bool = False) -> None:
    """Complete the data loaders of a config, in place.

    Workers outlast an epoch, as starting them may take longer than it. With
    ``sample_seeds=False`` they do not: they are then seeded from the epoch when they start, so
    that a resumed run seeds them alike.

    Args:
        cfg: The config of a run.
        no_pin_memory: Whether to turn off pinned memory everywhere.
    """
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader')
        if not isinstance(loader, Mapping):  # which is refused later, if it is not None
            continue
        workers = loader.get('num_workers')
        outlasts = split != 'test' and bool(workers) and cfg.get('sample_seeds') is not False
        loader = {**deepcopy(DATALOADER), 'persistent_workers': outlasts, **loader}
        if no_pin_memory or not torch.cuda.is_available():
            loader['pin_memory'] = False
        cfg[f'{split}_dataloader'] = loader


def set_work_dir(cfg: Config, work_dir: str | None) -> None:
    """Set the folder of logs and checkpoints: as given, the config's, or by its file name."""
    name = osp.splitext(osp.basename(cfg.filename or 'run'))[0]
    cfg.work_dir = work_dir or cfg.get('work_dir') or osp.join('work_dirs', name)


def check_work_dir(cfg: Config) -> None:
    """Refuse a work dir that another training uses, before anything in it is replaced.

    Raises:
        FolderInUseError: If another training holds its lock; our ``Runner`` holds it later.
    """
    if rank_of(cfg.launcher) == 0:
        with folder_lock(cfg.work_dir, 'a training'):
            pass


def rank_of(launcher: str) -> int:
    """Return the rank of this process, as its launcher states it."""
    return int(os.environ.get(RANKS[launcher], 0)) if launcher in RANKS else 0


def init_distributed(cfg: Config) -> None:
    """Start gloo for the ``pytorch`` launcher without CUDA; otherwise leave it to MMEngine.

    MMEngine's launcher requires a CUDA device, and its wrapper passes GPU ids to DDP. A rank
    that torchrun started gets SIGTERM when torchrun is killed.

    Raises:
        KeyedValueError: If ``env_cfg.dist_cfg.timeout`` is not a positive number of seconds.
    """
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        die_with_parent(os.getppid(), signal.SIGTERM)
    if cfg.launcher != 'pytorch' or torch.cuda.is_available():
        return
    dist.init_process_group('gloo', timeout=_timeout(cfg))
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )


def _timeout(cfg: Config) -> timedelta | None:
    """Return the longest wait for other ranks, as MMEngine reads it; None for torch's."""
    seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
    if seconds is None:
        return None
    if not isinstance(seconds, int | float) or seconds <= 0:
        raise KeyedValueError(
            f'{{env_cfg.dist_cfg.timeout}}={seconds!r}: wanted seconds above 0.',
            'env_cfg.dist_cfg.timeout',
        )
    return timedelta(seconds=seconds)


def set_local_rank(local_rank: int) -> None:
    """Set the variable that MMEngine reads from the ``--local_rank`` of older launchers."""
    os.environ.setdefault('LOCAL_RANK', str(local_rank))


def cleanup() -> None:
    """Destroy the process group, if there is one, once every process is done with it."""
    if not dist.is_initialized():
        return
    dist.barrier()
    # A gloo thread still frees the last collective's tensors, which needs the interpreter. If
    # that is already shutting down, the process aborts and the launcher reports a successful
    # run as failed (in 4 of about 105 runs with torch 2.13).
    time.sleep(0.5)
    dist.destroy_process_group()


def leave_on_signals() -> None:
    """Leave with the code of a preempted training while there is nothing to save yet.

    ``PreemptionHook`` takes over when training starts.
    """
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda *_: os._exit(PREEMPTED))


def leave(code: int) -> NoReturn:
    """End this process at once, at the same time as the other ranks.

    A launcher kills the ranks that are still there when the first has left, so that their exit
    codes would be those of a crash.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
