"""Measure SEP, rank and CKA of the distilled layers while a student trains."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from ...analysis.measures.base import GRADIENTS, Measure
from ...analysis.measures.checks import named_errors
from ...analysis.measures.selection import measure_named
from ...analysis.plotting.figure import pixels
from ...analysis.runner.layer_monitor import LayerMonitor, LayerReport
from ...datasets.subset_loader import subset_loader
from ...registry import HOOKS
from ...utils.isolated_eval import isolated_eval
from ...utils.unwrap import unwrap_model

MEASURES = ('sep', 'effective_rank', 'svd', 'cka')


@HOOKS.register_module()
class SEPHook(Hook):  # type: ignore[misc]
    """Measure the student's layers every few epochs and at the end, next to the teacher's.

    The images are the same validation images every time. The layers are the pairs that are
    distilled, or otherwise the student's last block (arXiv 2511.15572). The measures are SEP's
    bandwidths, full and folded, the effective rank, the dimension of 99 % of an image's energy,
    and linear CKA to the teacher's layer, with its null of shuffled tokens. The teacher is
    measured only once, the first time.

    The log and every backend of the visualizer get the scalars, as ``sep/pair_0/full_b90``
    (named after the loss ``loss_pair_0``, or ``sep/block_11/...``). Those to compare them with
    have ``teacher_`` or ``null_`` before the last part. The image ``sep`` shows the curves of
    student, teacher and random Gaussian vectors: high bandwidths mean little, as random vectors
    have them too.

    Training is equal to the bit with and without the hook: the raw student is measured (not
    an EMA), in eval mode, in float32, and by the first process alone, while the others continue
    until they next synchronise with it. To enable it next to the hooks that a config already
    has (a list of ``custom_hooks`` would replace them, such as the EMA)::

        default_hooks = dict(sep=dict(type='mmvitkd.SEPHook', interval=10))

    or on the command line ``--cfg-options default_hooks.sep.type=mmvitkd.SEPHook``.

    Args:
        interval: Epochs, or iterations if not ``by_epoch``, between two measurements.
        num_images: Number of validation images; all if there are fewer.
        batch_size: Images per batch.
        seed: Seed of the choice of images.
        layers: Layers of the student to measure instead of the distilled ones, without a
            teacher: blocks by index from 0, modules by name; or 'last' or 'all'.
        by_epoch: Whether the interval counts epochs; an iteration-based run needs False.
        measures: Names of measures, also of your own, except those that need gradients.

    Raises:
        ValueError: If a number is out of range or a measure is unknown. When training starts:
            if the run does not fit ``by_epoch`` or has no validation images, or a layer
            returns no patch tokens.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 10,
        num_images: int = 256,
        batch_size: int = 32,
        seed: int = 0,
        layers: str | Sequence[int | str] | None = None,
        by_epoch: bool = True,
        measures: Sequence[str] = MEASURES,
    ) -> None:
        given = dict(interval=interval, num_images=num_images, batch_size=batch_size, seed=seed)
        least = dict(interval=1, num_images=2, batch_size=1, seed=0)
        for key, value in given.items():
            if value < least[key]:
                raise ValueError(f'SEPHook.{key}={value}: wanted {least[key]} or more.')
        self.interval = interval
        self.num_images = num_images
        self.batch_size = batch_size
        self.seed = seed
        self.layers = layers
        self.by_epoch = by_epoch
        self._measures = _measures_named(measures)
        self._monitor: LayerMonitor | None = None
        self._count = 0

    def before_train(self, runner: Runner) -> None:
        """Find the layers with one image, in every process, so that an error stops all."""
        if self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'SEPHook.by_epoch=True, but this run counts iterations: give by_epoch=False '
                'and the interval in iterations.'
            )
        if runner.val_loop is None or len(runner.val_dataloader.dataset) < 2:
            raise ValueError(
                'SEPHook measures validation images: wanted a val_dataloader of 2 or more.'
            )
        model = unwrap_model(runner.model)
        sample = subset_loader(
            runner.val_dataloader, self.num_images, self.batch_size, self.seed
        )
        with self._isolated(model):
            try:
                self._monitor = LayerMonitor(model, sample, self._measures, self.layers)
            except ValueError as error:
                raise ValueError(f'SEPHook.layers={self.layers!r}: {error}') from error
        for name, reason in self._monitor.layers.left_out.items():
            runner.logger.info(f'SEPHook leaves {name} out: {reason}')

    def after_train_epoch(self, runner: Runner) -> None:
        """Measure every ``interval`` epochs, and after the last one."""
        due = self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)
        if self.by_epoch and due:
            self._measure(runner, 'Epoch', runner.epoch + 1)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Measure every ``interval`` iterations, and after the last one."""
        due = self.every_n_train_iters(runner, self.interval) or self.is_last_train_iter(runner)
        if not self.by_epoch and due:
            self._measure(runner, 'Iter', runner.iter + 1)

    def _isolated(self, model: Any) -> AbstractContextManager[None]:
        return isolated_eval(next(model.parameters()).device, self.seed)

    def _measure(self, runner: Runner, unit: str, step: int) -> None:
        """Measure and log; if that fails, log a warning and let the run continue."""
        if runner.rank != 0 or self._monitor is None:
            return
        begin = time.perf_counter()
        with self._isolated(unwrap_model(runner.model)):
            try:
                reports = self._monitor.measure()
            except (ValueError, torch.linalg.LinAlgError) as error:
                runner.logger.warning(f'{unit}(sep) [{step}]  not measured: {error}')
                return
            images = self._draw(self._monitor, reports)
        self._log(runner, f'{unit}(sep) [{step}]', step, reports)
        for name, image in images.items():
            runner.visualizer.add_image(name, image, step)
        runner.logger.info(f'{unit}(sep) [{step}]  {time.perf_counter() - begin:.1f} s')

    def _log(
        self, runner: Runner, head: str, step: int, reports: dict[str, LayerReport]
    ) -> None:
        """Log the scalars; those that do not change are in the text log only once."""
        for name, report in reports.items():
            found, references = (
                {f'sep/{name}/{key}': value for key, value in scalars.items()}
                for scalars in (report.scalars(), report.references())
            )
            runner.visualizer.add_scalars({**found, **references}, step)
            for scalars in (found, references) if self._count == 0 else (found,):
                text = '  '.join(f'{key}: {value:.4f}' for key, value in scalars.items())
                runner.logger.info(f'{head}  {text}')
        self._count += 1

    def _draw(self, monitor: LayerMonitor, reports: dict[str, LayerReport]) -> dict[str, Any]:
        """Return the images of the measures by the names of their figures."""
        layers = {
            f'{name}: {monitor.layers.modules[name]}': {
                'student': report.student,
                **({'teacher': report.teacher} if report.teacher else {}),
            }
            for name, report in reports.items()
        }
        drawn = {}
        for measure in self._measures:
            for figure in measure.figures:
                if figure.training is not None:
                    with named_errors(f'measure {measure.name!r}: figure {figure.name!r}'):
                        drawn[figure.name] = pixels(figure.training(layers))
        return drawn


def _measures_named(names: Sequence[str]) -> list[type[Measure]]:
    """Return measures in this order.

    Raises:
        ValueError: If there are none, one is unknown, or one needs gradients; names the key.
    """
    try:
        chosen = [names] if isinstance(names, str) else names
        measures = [measure_named(name) for name in chosen]
    except ValueError as error:
        raise ValueError(f'SEPHook.{error}') from error
    if not measures:
        raise ValueError('SEPHook.measures: found none; wanted some.')
    for measure in measures:
        if measure.needs == GRADIENTS:
            raise ValueError(
                f'SEPHook.measures: {measure.name!r} needs gradients, which are not computed '
                'in a training; wanted others.'
            )
    return measures
