"""Say in a few lines what a run does: models, losses, data, schedule, precision."""

import os.path as osp
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner

from ...config.provenance import provenance_of
from ..optimizers import BF16OptimWrapper
from .model_summary import model_lines
from .resume import images_per_step, param_groups
from .warmup import warmup_iters

SPLITS = ('train', 'val', 'test')
MOST_LOSSES = 3


def summary_of(runner: Runner) -> Iterator[str]:
    """Yield a line each about a run, its models, losses, data, schedule and precision.

    Args:
        runner: The runner, which has built the loops that it runs.
    """
    folder = osp.relpath(runner.work_dir)
    name = osp.basename(runner.cfg.filename or runner.experiment_name)
    log = osp.relpath(runner.logger.log_file, folder)
    yield f'Run: {name} in {folder}; the whole log is in its {log}'
    yield from model_lines(runner)
    loops = {split: getattr(runner, f'_{split}_loop') for split in SPLITS}
    loops = {split: loop for split, loop in loops.items() if isinstance(loop, BaseLoop)}
    is_training = 'train' in loops
    if is_training and (losses := _losses(runner.cfg.get('model') or {})):
        yield f'Losses: {losses}'
    yield f'Data: {"; ".join(_data(loops))}'
    if is_training:
        yield f'Schedule: {_schedule(runner)}'
        yield f'Precision: {_precision(runner)}'


def _losses(model: Mapping[str, Any]) -> str:
    """Return the losses with their weights, if they are known, and what the target is."""
    target = model.get('pair_target', 'raw')
    what = f'; target: {target}' if target != 'raw' else ''
    found = provenance_of(model).losses
    more = f'; and {len(found) - MOST_LOSSES} more' if len(found) > MOST_LOSSES else ''
    return '; '.join(found[:MOST_LOSSES]) + more + what


def _data(loops: Mapping[str, BaseLoop]) -> Iterator[str]:
    """Yield the number of images of each split, the classes and where they are."""
    for split, loop in loops.items():
        dataset = loop.dataloader.dataset
        classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
        labels = f' of {len(classes)} classes' if classes else ''
        if getattr(dataset, 'with_label', True) is False:
            labels = ' without labels'
        root = getattr(dataset, 'data_root', None)
        folder = f' in {root}' if isinstance(root, str) and root else ''
        is_held_out = split != 'train' and 'train' in loops
        what = ' held out' if is_held_out else f'{labels}{folder}'
        yield f'{split} {len(dataset):,} images{what}'


def _schedule(runner: Runner) -> str:
    loop, length = runner.train_loop, len(runner.train_loop.dataloader)
    steps = f'{runner.max_iters:,} iterations'
    if isinstance(loop, EpochBasedTrainLoop):
        epochs = 'epoch' if runner.max_epochs == 1 else 'epochs'
        steps = f'{runner.max_epochs} {epochs} of {length:,} iterations'
    rates = [group.get('initial_lr', group.get('lr')) for group in param_groups(runner)]
    rate = max((rate for rate in rates if rate is not None), default=0)
    rise = f' after {warmup:,} of warm-up' if (warmup := warmup_iters(runner)) else ''
    return f'{steps}, {images_per_step(runner)} images each, lr {rate:.3g}{rise}'


def _precision(runner: Runner) -> str:
    wrapper, device = runner.optim_wrapper, next(runner.model.parameters()).device
    kind = 'float32'
    if isinstance(wrapper, BF16OptimWrapper) and wrapper.enabled:
        kind = 'bfloat16 autocast'
    elif isinstance(wrapper, AmpOptimWrapper):
        kind = f'{wrapper.cast_dtype or "float16"} autocast'.removeprefix('torch.')
    where = torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type.upper()
    processes = f'{runner.world_size} processes' if runner.world_size > 1 else '1 process'
    return f'{kind} on {where}, {processes}'
