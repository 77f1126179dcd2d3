"""Try a validation of two images before training begins, so that it does not fail after it."""

from copy import deepcopy
from itertools import islice
from typing import Any

from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.runner import Runner
from mmpretrain.models import BaseClassifier

from ...models.algorithms import FeatureDistill
from ...suggestions import did_you_mean
from ...utils.errors import KeyedValueError
from ...utils.isolated_eval import isolated_eval
from ...utils.unwrap import unwrap_model
from .blame import blaming, failing_transform

DATA = 'val_dataloader.dataset'
TRIED = 2  # readable images
LOOKED_AT = 16  # to find them
# Whose metrics work with two images; those of a user may need more.
OWNERS = ('mmvitkd', 'mmpretrain')


def rehearse(runner: Runner) -> None:
    """Take the first validation images through the pipeline, the student and the metrics.

    The state of the training does not change. ``save_best`` must name what the metrics return.
    Models that are no classifiers of MMPretrain's are left out.

    Args:
        runner: A runner that has built its loops.

    Raises:
        KeyedValueError: If ``save_best`` names nothing that a validation returns.
        Exception: What fails, with the part of the config that it is about.
    """
    loop, model = runner.val_loop, unwrap_model(runner.model)
    student = model.student if isinstance(model, FeatureDistill) else model
    if loop is None or not isinstance(student, BaseClassifier):
        return
    device = next(student.parameters()).device
    training = student.training
    with isolated_eval(device, seed=0):
        batch = _first_batch(loop, runner.cfg)
        if batch is None:
            return
        student.eval()
        try:
            with blaming('model'):
                samples = student.val_step(batch)
        finally:
            student.train(training)
        names = _metric_names(runner, samples, batch)
    if names is not None:
        _check_save_best(runner, names)


def _first_batch(loop: Any, cfg: Config) -> Any:
    """Return the first images that can be read; None if there are none among the first."""
    dataset = loop.dataloader.dataset
    if not len(dataset):
        raise KeyedValueError(f'{{{DATA}}}: it has no images.', DATA)
    try:
        first = (dataset[i] for i in range(min(LOOKED_AT, len(dataset))))
        samples = list(islice((x for x in first if not _is_unreadable(x)), TRIED))
    except Exception:
        with blaming(*failing_transform(dataset, DATA, cfg)):
            raise
    if not samples:
        return None
    with blaming('val_dataloader.collate_fn'):
        return loop.dataloader.collate_fn(samples)


def _metric_names(runner: Runner, samples: list[Any], batch: Any) -> list[str] | None:
    """Return the names of what the metrics return; None if one needs more images."""
    plain, names = [sample.to_dict() for sample in samples], []
    given = runner.cfg.get('val_evaluator')
    settings = given if isinstance(given, list) else [given]
    for index, built in enumerate(runner.val_loop.evaluator.metrics):
        metric, key = deepcopy(built), f'val_evaluator.{index}'
        try:
            with blaming(key, settings[index] if index < len(settings) else None):
                metric.process(batch, plain)
                found = metric.compute_metrics(metric.results)
        except Exception:
            if type(metric).__module__.partition('.')[0] in OWNERS:
                raise
            return None
        prefix = f'{metric.prefix}/' if metric.prefix else ''
        names += [f'{prefix}{name}' for name in found]
    return names


def _check_save_best(runner: Runner, names: list[str]) -> None:
    key = 'default_hooks.checkpoint.save_best'
    ema = any(isinstance(hook, EMAHook) for hook in runner.hooks)
    for hook in runner.hooks:
        if hasattr(hook, 'metric_names'):
            names += hook.metric_names(runner)
    names += [f'{name}_ema' for name in names] if ema else []
    for hook in runner.hooks:
        if not isinstance(hook, CheckpointHook):
            continue
        for name in hook.key_indicators or () if hook.save_best else ():
            if name == 'auto' or name in names:
                continue
            raise KeyedValueError(
                f'{{{key}}}={name!r}: a validation returns {", ".join(names) or "nothing"}'
                f'{did_you_mean(name, names)}',
                key,
            )


def _is_unreadable(sample: Any) -> bool:
    return isinstance(sample, dict) and 'unreadable' in (sample.get('data_samples') or ())
