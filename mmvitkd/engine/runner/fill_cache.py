"""Fill a teacher cache ahead of training, over several processes, and go on where one ended."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_dist_info
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, OPTIM_WRAPPERS, DefaultScope
from mmengine.runner import Runner, set_random_seed
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
from ...datasets.samplers.view_plan import ANY_RANKS
from ...datasets.samplers.view_sampler import ViewIndex
from ...datasets.seeded_samples import seed_samples
from ...models.teachers import CachedTeacher
from ...utils.bytesize import size_text
from ...utils.errors import KeyedValueError
from .blame import blaming
from .load_views import load_views
from .open_teacher_cache import (
    KEY,
    is_first_on_machine,
    lock_for_run,
    open_teacher_cache,
    together,
)


def fill_teacher_cache(cfg: Config, device: torch.device, repair: bool = False) -> int:
    """Compute and store all views that a training of a config will ask for.

    How often a training by iterations passes over its images depends on its number of ranks,
    which is not known here: all views of all images are stored for it.

    Rank r of W computes every W-th batch of those that are missing.

    Args:
        cfg: The config of the training, completed.
        device: Where the teacher computes.
        repair: Whether to check all that is stored first, and to compute damaged rows again.

    Returns:
        The number of rows that this rank has stored.

    Raises:
        OSError: If the folder cannot be written to, another run fills it, or the disk is full;
            what is stored stays.
        ValueError: See :func:`~mmvitkd.engine.runner.open_teacher_cache.open_teacher_cache`.
    """
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmpretrain'):
        seed = (cfg.get('randomness') or {}).get('seed')
        if seed is None:
            raise KeyedValueError(
                '{randomness.seed}: found None; wanted that of the training, which says '
                'which images it shows.',
                'randomness.seed',
            )
        set_random_seed(seed)  # as MMEngine's Runner, which a random teacher is drawn from
        seeded = seed_samples(
            cfg.train_dataloader.to_dict(), seed, cfg.get('sample_seed'), cfg.sample_views
        )
        loader = Runner.build_dataloader(seeded, seed=seed)
        preprocessor = cfg.get('data_preprocessor')
        model_cfg = deepcopy(cfg.model)  # building changes it
        if preprocessor is not None:  # as MMEngine's Runner does
            model_cfg.setdefault('data_preprocessor', deepcopy(preprocessor))
        model = MODELS.build(model_cfg).to(device).train()
        autocast = partial(_optim_wrapper(cfg).optim_context, model)
        teacher = model.teacher
        assert isinstance(teacher, CachedTeacher)
        if repair:
            with ExitStack() as stack:
                wanted = is_first_on_machine()
                is_held, error = lock_for_run(stack, teacher.folder, 'a repair', wanted)
                together(partial(_repair, teacher, is_held, error))
        sampler = loader.batch_sampler.sampler
        opened = open_teacher_cache(
            teacher,
            model.data_preprocessor,
            loader,
            sampler,
            cfg.train_cfg.get('max_epochs'),
            cfg,
            ANY_RANKS,
        )
        with opened as reason:
            together(partial(_check_stores, teacher, reason))
            done = _fill(teacher, model.data_preprocessor, loader, autocast)
            together(partial(_finish, teacher))
            together(partial(_check_complete, teacher))
        return done


def _check_stores(teacher: CachedTeacher, reason: str) -> None:
    if reason:
        raise OSError(f'{KEY}: {teacher.folder} cannot be filled: {reason}')


def _repair(teacher: CachedTeacher, is_held: bool, error: OSError | None) -> None:
    """Repair a cache where its lock is held; raise why the run cannot have it."""
    if error is not None:
        raise error
    if not is_held:
        return
    damaged = teacher.repair()
    text = f'{KEY}: {teacher.folder}: {damaged:,} damaged rows will be computed again.'
    print_log(text, 'current')


def _fill(
    teacher: CachedTeacher,
    preprocessor: torch.nn.Module,
    loader: DataLoader[Any],
    autocast: Callable[[], AbstractContextManager[None]],
) -> int:
    rank, world_size = get_dist_info()
    missing = [_of_rank(rows, loader, rank, world_size) for rows in teacher.missing_rows()]
    batches = [batch for rows in missing for batch in _batches(rows, loader)]
    total, done = sum(map(len, missing)), 0
    with _progress(rank) as bars, torch.no_grad():
        bar = bars.add_task('views', total=total * world_size, disk='')
        for batch, rows in zip(_load(teacher, loader, batches), batches, strict=True):
            data = preprocessor(batch, False)
            with autocast():
                teacher(data['inputs'], data['data_samples'])
            if not teacher.stores:
                break
            done += len(rows)
            disk = size_text(done * world_size * teacher.row_bytes)
            speed = bars.tasks[bar].speed
            rate = f'{speed:.0f} views/s, ' if speed else ''
            bars.update(bar, completed=done * world_size, disk=f'{rate}{disk} written')
    return done


def _of_rank(rows: Rows, loader: DataLoader[Any], rank: int, world_size: int) -> Rows:
    """Return the rows that a rank computes, which do not depend on what others have stored."""
    part: Rows = rows[rows // (loader.batch_size or 1) % world_size == rank]
    return part


def _batches(rows: Rows, loader: DataLoader[Any]) -> list[Rows]:
    size = loader.batch_size or 1
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def _finish(teacher: CachedTeacher) -> None:
    """Wait until all is stored; raise OSError if that is not possible."""
    if teacher.live is None:  # it was complete
        return
    teacher.flush()
    if error := teacher.storing_error:
        raise OSError(
            f'{KEY}: {teacher.folder} cannot be filled further: {error}. What is stored stays '
            'usable; with more space, the same command goes on.'
        )


def _check_complete(teacher: CachedTeacher) -> None:
    """Check that no rank has left out a row."""
    if missing := teacher.num_missing():
        raise OSError(
            f'{KEY}: {teacher.folder} lacks {missing:,} views: the ranks do not write to one '
            'folder. Fill it with the ranks of this machine alone.'
        )


def _load(
    teacher: CachedTeacher, loader: DataLoader[Any], batches: Sequence[Rows]
) -> Iterator[Any]:
    """Yield the batches of some rows, as the training's loader makes them."""
    indices = ([ViewIndex(*teacher.view_of(row)) for row in rows] for rows in batches)
    return load_views(loader, indices)


def _optim_wrapper(cfg: Config) -> OptimWrapper:
    """Return a wrapper like the training's, which knows the precision, for no parameters."""
    unknown = ('constructor', 'paramwise_cfg')  # of those that build it
    options = {key: value for key, value in cfg.optim_wrapper.items() if key not in unknown}
    options['optimizer'] = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=0.0)
    with blaming('optim_wrapper'):
        return OPTIM_WRAPPERS.build({'type': 'OptimWrapper', **options})


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
