"""Measure the mean and standard deviation of targets over training images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, get_dist_info
from torch.utils.data import DataLoader

from ...analysis.functional.moments import CurveMoments
from ...datasets.samplers.view_plan import visited_views
from ...datasets.samplers.view_sampler import ViewIndex, ViewSampler
from ...models import TargetTokens
from ...models.teachers import CachedTeacher
from ...utils.errors import KeyedValueError, listed
from .load_views import load_views


def targets_of(distiller: Any) -> dict[str, tuple[str, TargetTokens]]:
    """Return the targets with statistics, by their connectors' names, with their recorders."""
    return {
        record['connector']: (record['recorder'], distiller.connectors[record['connector']])
        for mapping in distiller.loss_forward_mappings.values()
        for record in mapping.values()
        if record.get('connector')
        and isinstance(distiller.connectors[record['connector']], TargetTokens)
    }


def measure_targets(
    model: Any,
    loader: DataLoader[Any],
    num_epochs: int,
    num_views: int,
    seed: int,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> list[str]:
    """Measure the targets of a distillation, and set their statistics; the same on all ranks.

    In float64, deviations about the mean so far, over the patch tokens of the first images of a
    random order, each as the training first shows it (view 0, augmented). Rank r of W takes
    every W-th batch. A teacher cache is read where it has all of them: neither images nor
    teacher are needed.

    Args:
        model: The ``FeatureDistill``, on the device of the training.
        loader: The loader of the training.
        num_epochs: The epochs of the training.
        num_views: The number of images, or all if there are fewer.
        seed: Decides the order.
        autocast: The context of the training's forward pass: a teacher cache stores what the
            teacher computes here.

    Returns:
        A line for each target, for the log.

    Raises:
        ValueError: If all channels of a target are constant.
    """
    views = first_views(loader, num_epochs, num_views, seed)
    rank, world_size = get_dist_info()
    size = int(loader.batch_size or 1)
    batches = [views[i : i + size] for i in range(0, len(views), size)][rank::world_size]
    targets = targets_of(model.distiller)
    moments = {name: CurveMoments() for name in targets}
    for outputs in _outputs(model, loader, batches, autocast):
        for name, (recorder, target) in targets.items():
            moments[name].update(target.read(outputs[recorder]).tokens.flatten(0, 1))
    lines = []
    gathered = all_gather_object(moments)
    for name, (_, target) in targets.items():
        whole = CurveMoments()
        for part in gathered:
            whole.merge(part[name])
        lines.append(_set(name, target, whole, f'{len(views):,} training views (seed {seed})'))
    return lines


def first_views(
    loader: DataLoader[Any], num_epochs: int, num_views: int, seed: int
) -> list[ViewIndex]:
    """Return the first views of a training, in a random order of its images."""
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    indices = np.arange(len(loader.dataset))
    if isinstance(sampler, ViewSampler):
        _, _, indices = next(iter(visited_views(sampler, num_epochs)))
    order = np.random.default_rng(seed).permutation(indices)[:num_views]
    return [ViewIndex(int(index), 0) for index in order]


def _outputs(
    model: Any,
    loader: DataLoader[Any],
    batches: Sequence[Sequence[ViewIndex]],
    autocast: Callable[[], AbstractContextManager[Any]],
) -> Iterator[Mapping[str, Any]]:
    """Yield what the teacher makes of batches of views."""
    teacher, device = model.teacher, next(model.parameters()).device
    if isinstance(teacher, CachedTeacher):
        views = [[(int(i), i.view, i.repeat) for i in batch] for batch in batches]
        rows = [teacher.rows_if_stored(batch) for batch in views]
        if all(each is not None for each in rows):
            yield from (teacher.read(each, device) for each in rows if each is not None)
            return
    for batch in load_views(loader, batches):
        data = model.data_preprocessor(batch, False)
        with autocast():
            outputs = teacher(data['inputs'], data['data_samples'])
        yield outputs
    if isinstance(teacher, CachedTeacher):
        teacher.flush()  # before the training would compute these views again


def _set(name: str, target: TargetTokens, found: CurveMoments, views: str) -> str:
    """Set the statistics of a target; return a line that says what they are."""
    mean, std = (torch.tensor(x, dtype=torch.float64) for x in (found.mean, found.std))
    pair = name.removesuffix('_T')
    try:
        constant = target.set_statistics(mean, std, found.count)
    except ValueError as error:
        raise KeyedValueError(
            f'{{pair_target}}={target.kind!r}: {pair}: {error} of {views}; the teacher says '
            'nothing there. Wanted another layer or images that differ.',
            'pair_target',
        ) from None
    norms = [float(x.square().sum()) for x in (mean, std)]
    line = (
        f'Target of {pair} ({target.kind}): {found.count:,} tokens of {views}, {len(mean)} '
        f'channels; the mean token has the norm {norms[0] ** 0.5:.4g} and '
        f'{100 * norms[0] / sum(norms):.1f} % of the energy; standard deviations '
        f'{float(std.min()):.4g} to {float(std.max()):.4g}.'
    )
    if constant:
        names = listed([str(channel) for channel in constant])
        line += f' Constant: channel {names}, centred only.'
    return line
