"""Open a teacher cache for a training: on every rank, for one writer, with what is missing."""

import json
import logging
import os
import secrets
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import (
    all_gather_object,
    barrier,
    broadcast_object_list,
    get_rank,
    get_world_size,
)
from mmengine.logging import print_log
from torch.utils.data import DataLoader

from ...cache.view_set import View, ViewSet
from ...datasets import SeededSamples, ViewSampler
from ...datasets.data_identity import file_list, pixel_checksums, pixel_versions
from ...datasets.samplers.view_plan import visited_views
from ...datasets.samplers.view_sampler import ViewIndex
from ...models.teachers import CachedTeacher
from ...models.utils.normalization import normalization_by
from ...utils.bytesize import size_text
from ...utils.errors import KeyedValueError
from ...utils.folder_lock import FolderInUseError, folder_lock, holder_of
from ...utils.on_screen import OnScreen

KEY = 'teacher_cache'
COMPARED = 8  # stored rows that the teacher computes again when it is at hand


@contextmanager
def open_teacher_cache(
    teacher: CachedTeacher,
    preprocessor: torch.nn.Module,
    loader: DataLoader[Any],
    sampler: ViewSampler | None,
    num_epochs: int | None,
    cfg: Config,
    ranks: Collection[int] | None = None,
) -> Iterator[str]:
    """Open the cache of a training, check it, and let one run at a time write to it.

    Call it on all ranks.

    Args:
        teacher: The cached teacher.
        preprocessor: The data preprocessor of the student.
        loader: The training's data loader.
        sampler: The sampler that numbers the views.
        num_epochs: The passes of the training over its data; None if they are not known.
        cfg: The config of the run.
        ranks: The numbers of ranks that the training may have; None for that of this run.

    Yields:
        Why missing views are not stored; '' if they are.

    Raises:
        ValueError: If the cache is not one for this training; the message says what differs.
        DamagedCacheError: If a shard is missing or truncated.
    """
    _check_mixing(preprocessor, cfg)
    ranks = [get_world_size()] if ranks is None else ranks
    views = view_set(loader, sampler, preprocessor, num_epochs, cfg, ranks)
    is_first = is_first_on_machine()
    open_checked = partial(teacher.open, views)
    together(open_checked if is_first else lambda: None)
    together((lambda: None) if is_first else partial(open_checked, check=False))
    with ExitStack() as stack:
        stack.callback(teacher.close)
        missing = teacher.num_missing() if is_first else 0
        reason = _lock(stack, teacher, is_first and missing > 0)
        found = all_gather_object((socket.gethostname(), missing, reason))
        mine = [rank for rank in found if rank[0] == socket.gethostname()]
        missing = max(count for _, count, _ in mine)
        reason = next((why for *_, why in mine if why), '')
        if missing:
            together(teacher.build_live)
            reason = reason or _store(teacher)
        else:
            together(lambda: None)
        is_compared = teacher.live is not None and is_first
        compare = partial(_compare, teacher, preprocessor, loader, views)
        together(compare if is_compared else lambda: None)
        if get_rank() == 0:
            _log(teacher, views, missing, reason)
        log_others(reason)
        yield reason


def view_set(
    loader: DataLoader[Any],
    sampler: ViewSampler | None,
    preprocessor: torch.nn.Module,
    num_epochs: int | None,
    cfg: Config,
    ranks: Collection[int],
) -> ViewSet:
    """Describe the views that a training asks for.

    Args:
        loader: The training's data loader.
        sampler: The sampler that numbers the views.
        preprocessor: The data preprocessor of the student.
        num_epochs: The passes of the training over its data; None if they are not known.
        cfg: The config of the run.
        ranks: The numbers of ranks that the training may have.

    Raises:
        ValueError: If the samples have no seeds of their own.
    """
    dataset: Any = loader.dataset
    if not isinstance(dataset, SeededSamples) or sampler is None:
        raise KeyedValueError(
            f'{{{KEY}}}: found a {type(dataset).__name__} as training data, wanted samples '
            'with seeds of their own: sample_seeds=True, and no num_batch_per_epoch.',
            KEY,
        )
    num_views = sampler.views or num_epochs
    assert num_views is not None  # the tool gives no epochs, but the config it fills has views
    normalization = normalization_by(preprocessor)
    data = dict(
        **_pipelines(cfg),
        normalization=normalization
        and [normalization.mean.tolist(), normalization.std.tolist(), normalization.to_rgb],
    )
    return ViewSet(
        num_images=len(dataset),
        views=num_views,
        repeats=getattr(sampler.sampler, 'num_repeats', 1),
        seed=dataset.seed,
        data=json.loads(json.dumps(data, default=str)),
        versions=pixel_versions(),
        files=partial(file_list, dataset),
        checksums=lambda views: pixel_checksums(dataset, _indices(views)),
        planned=partial(visited_views, sampler, num_epochs, ranks),
    )


def is_first_on_machine() -> bool:
    """Return whether this rank is the one that checks the folder for its machine."""
    return int(os.environ.get('LOCAL_RANK', 0)) == 0


def _pipelines(cfg: Config) -> dict[str, Any]:
    """Return what a config does to the training's images, by key."""
    model = cfg.get('model') or {}
    found = {
        'data_preprocessor': cfg.get('data_preprocessor') or model.get('data_preprocessor')
    }
    pending = [('train_dataloader.dataset', (cfg.get('train_dataloader') or {}).get('dataset'))]
    while pending:
        key, dataset = pending.pop()
        if not isinstance(dataset, dict):
            continue
        if 'pipeline' in dataset:
            found[f'{key}.pipeline'] = dataset['pipeline']
        pending.append((f'{key}.dataset', dataset.get('dataset')))
        inner = dataset.get('datasets') or ()
        pending += [(f'{key}.datasets[{i}]', part) for i, part in enumerate(inner)]
    return found


def _indices(views: Sequence[View]) -> list[ViewIndex]:
    return [ViewIndex(*view) for view in views]


def _check_mixing(preprocessor: Any, cfg: Config) -> None:
    """Refuse mixup and cutmix, and another pipeline later: their images are not the view's."""
    hooks = [*(cfg.get('custom_hooks') or ()), *(cfg.get('default_hooks') or {}).values()]
    for hook in hooks:
        kind = str((hook or {}).get('type')).split('.')[-1]
        if kind == 'SwitchRecipeHook':
            raise KeyedValueError(
                f'{{{KEY}}}: {kind} changes the images of a view during the training; wanted '
                'one pipeline for all epochs.',
                KEY,
            )
    mixing = getattr(preprocessor, 'batch_augments', None)
    if mixing is not None:
        raise KeyedValueError(
            f'{{{KEY}}}: data_preprocessor.batch_augments mixes images of a batch, and what '
            'the teacher makes of a mixture cannot be stored; wanted no mixup and no cutmix '
            '(batch_augments=None).',
            KEY,
        )


def together(check: Callable[[], Any]) -> None:
    """Run a check on this rank, and raise the first error of any rank on all."""
    error: Exception | None = None
    try:
        check()
    except Exception as caught:
        error = caught
    errors = all_gather_object(None if error is None else f'{type(error).__name__}: {error}')
    if error is not None:
        raise error
    if found := [text for text in errors if text]:
        raise KeyedValueError(f'{{{KEY}}}: another rank stopped: {found[0]}', KEY)


def log_others(reason: str) -> None:
    """Log on rank 0 why other ranks do not store what they compute, once; wait for all.

    What they log themselves is not seen.

    Args:
        reason: The reason of this rank; '' if it stores all.
    """
    first, *others = all_gather_object((socket.gethostname(), reason))
    if get_rank() == 0:
        for host, why in dict.fromkeys(others):
            if why and (host, why) != first:
                line = f'{KEY}: a rank on {host} does not store what it computes: {why}'
                print_log(line, 'current', logging.WARNING)


def _lock(stack: ExitStack, teacher: CachedTeacher, wanted: bool) -> str:
    """Become the run that writes; return the reason if that is not possible."""
    _, error = lock_for_run(stack, teacher.folder, 'a training that fills it', wanted)
    if error is None or isinstance(error, FolderInUseError):
        return str(error or '')
    return f'it cannot be written to ({error})'


def lock_for_run(
    stack: ExitStack, folder: Path, user: str, wanted: bool
) -> tuple[bool, OSError | None]:
    """Lock a folder, which machines may share, for this run; call it on all ranks.

    Args:
        stack: What keeps the lock.
        folder: The folder.
        user: What this run is, see :func:`~mmvitkd.utils.folder_lock.folder_lock`.
        wanted: Whether this rank asks for the lock.

    Returns:
        Whether this rank holds it; and why the run cannot have it, None if it has.
    """
    token = [secrets.token_hex(4)]
    broadcast_object_list(token)
    user, error = f'{user} (run {token[0]})', None
    try:
        if wanted:
            stack.enter_context(folder_lock(folder, user))
    except OSError as caught:
        error = caught
    barrier()  # the holder has written who it is
    is_held = wanted and error is None
    if isinstance(error, FolderInUseError) and holder_of(folder).get('user') == user:
        error = None  # another machine of this run
    return is_held, error


def _store(teacher: CachedTeacher) -> str:
    """Store what is computed from now on; return the reason if that is not possible."""
    try:
        teacher.store_new_rows()
    except OSError as error:
        return f'it cannot be written to ({error})'
    except ValueError as error:
        return str(error)
    return ''


def _compare(
    teacher: CachedTeacher, preprocessor: Any, loader: DataLoader[Any], views: ViewSet
) -> None:
    """Compare a few stored rows with what the teacher computes."""
    rows = teacher.some_stored_rows(COMPARED)
    if not len(rows):
        return
    samples = [loader.dataset[index] for index in _indices([views.view(int(r)) for r in rows])]
    batch = preprocessor(loader.collate_fn(samples), False)
    teacher.compare_with_live(batch['inputs'], batch['data_samples'])


def _log(teacher: CachedTeacher, views: ViewSet, missing: int, reason: str) -> None:
    planned = sum(map(len, views.planned_rows())) if missing else 0
    text = 'complete: the training needs no teacher'
    if missing:
        size, free = missing * teacher.row_bytes, disk_usage(teacher.folder).free
        stored = f'and stores them: {size_text(size)}, {size_text(free)} are free'
        if reason:
            stored = f'and does not store them: {reason}'
        text = (
            f'{missing:,} of {planned:,} views are missing: the teacher computes them, {stored}'
        )
    elif teacher.live is not None:
        text = 'complete'
    line = (
        f'{KEY}: {teacher.folder}: {views.views} views of {views.num_images:,} images, '
        f'{teacher.row_bytes:,} bytes each; {text}.'
    )
    print_log(OnScreen(line), 'current')
