"""Fill a teacher cache ahead of training, over several processes, and go on where one ended."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from math import ceil
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_dist_info
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch.utils.data import DataLoader

from ...cache.view_set import Rows
from ...datasets.samplers.view_sampler import ViewIndex
from ...datasets.seeded_samples import seed_samples
from ...models.teachers import CachedTeacher
from ...utils.bytesize import size_text
from ...utils.errors import KeyedValueError
from .load_views import load_views
from .teacher_cache import KEY, open_teacher_cache


def fill_teacher_cache(cfg: Config, device: torch.device, repair: bool = False) -> int:
    """Compute and store all views that a training of a config will ask for.

    Rank r of W computes every W-th batch of those that are missing.

    Args:
        cfg: The config of the training, completed.
        device: Where the teacher computes.
        repair: Whether to check all that is stored first, and to compute damaged rows again.

    Returns:
        The number of rows that this rank has stored.

    Raises:
        OSError: If the folder cannot be written to, or the disk is full; what is stored stays.
        ValueError: See :func:`~mmvitkd.engine.runner.teacher_cache.open_teacher_cache`.
    """
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmpretrain'):
        seed = (cfg.get('randomness') or {}).get('seed')
        if seed is None:
            raise KeyedValueError(
                '{randomness.seed}: found None; wanted that of the training, which says '
                'which images it shows.',
                'randomness.seed',
            )
        seeded = seed_samples(
            cfg.train_dataloader.to_dict(), seed, cfg.get('sample_seed'), cfg.sample_views
        )
        loader = Runner.build_dataloader(seeded, seed=seed)
        preprocessor = cfg.get('data_preprocessor')
        model_cfg = deepcopy(cfg.model)  # building changes it
        if preprocessor is not None:  # as MMEngine's Runner does
            model_cfg.setdefault('data_preprocessor', deepcopy(preprocessor))
        model = MODELS.build(model_cfg).to(device).train()
        teacher = model.teacher
        assert isinstance(teacher, CachedTeacher)
        if repair:
            teacher.repair()
        sampler = loader.batch_sampler.sampler
        opened = open_teacher_cache(
            teacher, model.data_preprocessor, loader, sampler, _epochs(cfg, loader), cfg
        )
        with opened:
            return _fill(teacher, model.data_preprocessor, loader, cfg, device)


def _epochs(cfg: Config, loader: DataLoader[Any]) -> int:
    """Return the epochs of a training, or the passes over the data of one by iterations."""
    if cfg.train_cfg.get('max_epochs'):
        return int(cfg.train_cfg.max_epochs)
    images: int = cfg.train_cfg.max_iters * loader.batch_size * get_dist_info()[1]
    return ceil(images / len(loader.dataset))


def _fill(
    teacher: CachedTeacher,
    preprocessor: torch.nn.Module,
    loader: DataLoader[Any],
    cfg: Config,
    device: torch.device,
) -> int:
    if teacher.live is None:
        return 0
    if not teacher.stores:
        raise OSError(f'{KEY}: {teacher.folder} cannot be filled; see the line above.')
    rank, world_size = get_dist_info()
    missing = teacher.missing_rows()
    size = int(loader.batch_size or 1)
    batches = [missing[i : i + size] for i in range(0, len(missing), size)][rank::world_size]
    done = 0
    with _progress(rank) as bars, torch.no_grad():
        bar = bars.add_task('views', total=len(missing), disk='')
        for batch, rows in zip(_load(teacher, loader, batches), batches, strict=True):
            data = preprocessor(batch, False)
            with _autocast(cfg, device):
                teacher(data['inputs'], data['data_samples'])
            if not teacher.stores:
                raise OSError(f'{KEY}: {teacher.folder} is full; see the line above.')
            done += len(rows)
            disk = size_text(done * world_size * teacher.row_bytes)
            completed = min(done * world_size, len(missing))
            speed = bars.tasks[bar].speed
            rate = f'{speed:.0f} views/s, ' if speed else ''
            bars.update(bar, completed=completed, disk=f'{rate}{disk} written')
    return done


def _load(
    teacher: CachedTeacher, loader: DataLoader[Any], batches: Sequence[Rows]
) -> Iterator[Any]:
    """Yield the batches of some rows, as the training's loader makes them."""
    indices = [[ViewIndex(*teacher.view_of(row)) for row in rows] for rows in batches]
    return load_views(loader, indices)


def _autocast(cfg: Config, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context of the training's forward pass."""
    kind = str(cfg.optim_wrapper.get('type'))
    enabled = device.type == 'cuda' and ('BF16' in kind or 'Amp' in kind)
    context: AbstractContextManager[Any] = torch.autocast(
        device.type, torch.bfloat16, enabled=enabled
    )
    return context


def _progress(rank: int) -> Progress:
    """Return a progress bar, on rank 0 only."""
    return Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('{task.fields[disk]}'),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=rank != 0,
        refresh_per_second=2,
    )
