"""SEP, rank and CKA of the distilled layers, followed while a student trains."""

import time
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop

from ...analysis.functional.token_shares import BANDWIDTH_THRESHOLDS
from ...analysis.report.sep_curves import sep_image
from ...analysis.runner.layer_monitor import LayerMonitor, LayerReport
from ...datasets.subset_loader import subset_loader
from ...registry import HOOKS
from ...utils.isolated_eval import isolated_eval
from ...utils.unwrap import unwrap_model


@HOOKS.register_module()
class SEPHook(Hook):
    """Measures the student's layers every few epochs, and at the end, beside the teacher's.

    Always on the same validation images. Of the pairs of layers that are distilled, or else
    of the student's last block (arXiv 2511.15572): SEP's bandwidths, full and folded, the
    effective rank, the dimension of 99 % of an image's energy, and linear CKA to the
    teacher's layer, with its null of shuffled tokens. The teacher is measured once, by the
    first look.

    A line in the log and every backend of the visualizer get the scalars, as
    ``sep/pair_0/full_b90`` (named after the loss ``loss_pair_0``, or ``sep/block_11/...``);
    ``teacher_`` and ``null_`` before the last part for what to read them against. The image
    ``sep`` has the curves of student, teacher, and random Gaussian vectors: high bandwidths
    say little, as those have them too.

    Training goes on to the bit as without the hook: the raw student is measured (not an
    EMA), in eval mode, float32, and the first process alone, while the others go on to
    where they next meet it. To switch it on beside the hooks that a config already has (a
    list of ``custom_hooks`` would replace them, such as the EMA)::

        default_hooks = dict(sep=dict(type='mmvitkd.SEPHook', interval=10))

    or on the command line ``--cfg-options default_hooks.sep.type=mmvitkd.SEPHook``.

    Args:
        interval: Epochs, or iterations if not ``by_epoch``, between two looks.
        num_images: How many validation images; all, if there are no more.
        batch_size: How many at a time.
        seed: Decides which images.
        layers: What of the student to look at instead of the distilled layers, without a
            teacher: blocks by their indices from 0, modules by their names; or 'all'.
        by_epoch: Whether the interval counts epochs; an iteration-based run needs False.

    Raises:
        ValueError: If a number is out of range. When training starts: if the run does not
            fit ``by_epoch`` or has no validation images, or a layer gives no patch tokens.
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
        self._watch: LayerMonitor | None = None
        self._looks = 0

    def before_train(self, runner) -> None:
        """Find the layers with one image, in every process, so that a misfit stops all."""
        if self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ValueError(
                'SEPHook.by_epoch=True, but this run counts iterations: give by_epoch=False '
                'and the interval in iterations.'
            )
        if runner.val_loop is None or len(runner.val_dataloader.dataset) < 2:
            raise ValueError(
                'SEPHook looks at validation images: wanted a val_dataloader of 2 or more.'
            )
        model = unwrap_model(runner.model)
        sample = subset_loader(
            runner.val_dataloader, self.num_images, self.batch_size, self.seed
        )
        with self._aside(model):
            try:
                self._watch = LayerMonitor(model, sample, self.layers)
            except ValueError as error:
                raise ValueError(f'SEPHook.layers={self.layers!r}: {error}') from error
        for name, reason in self._watch.layers.left_out.items():
            runner.logger.info(f'SEPHook leaves {name} out: {reason}')

    def after_train_epoch(self, runner) -> None:
        """Look, if it is time."""
        due = self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)
        if self.by_epoch and due:
            self._look(runner, 'Epoch', runner.epoch + 1)

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Look, if it is time."""
        due = self.every_n_train_iters(runner, self.interval) or self.is_last_train_iter(runner)
        if not self.by_epoch and due:
            self._look(runner, 'Iter', runner.iter + 1)

    def _aside(self, model):
        """A context in which the model is measured, and training is not touched."""
        return isolated_eval(next(model.parameters()).device, self.seed)

    def _look(self, runner, unit: str, step: int) -> None:
        """Measure and tell; what cannot be measured is a warning, not the end of a run."""
        if runner.rank != 0 or self._watch is None:
            return
        begin = time.perf_counter()
        model = unwrap_model(runner.model)
        with self._aside(model):
            try:
                reports = self._watch.measure()
            except (ValueError, torch.linalg.LinAlgError) as error:
                runner.logger.warning(f'{unit}(sep) [{step}]  not measured: {error}')
                return
            image = self._draw(self._watch, reports)
        self._tell(runner, f'{unit}(sep) [{step}]', step, reports)
        runner.visualizer.add_image('sep', image, step)
        runner.logger.info(f'{unit}(sep) [{step}]  {time.perf_counter() - begin:.1f} s')

    def _tell(self, runner, head: str, step: int, reports: dict[str, LayerReport]) -> None:
        """Write the scalars; into the log, those that stay the same only once."""
        for name, report in reports.items():
            found, references = (
                {f'sep/{name}/{key}': value for key, value in scalars.items()}
                for scalars in (report.scalars(), report.references())
            )
            runner.visualizer.add_scalars({**found, **references}, step)
            for scalars in (found, references) if self._looks == 0 else (found,):
                text = '  '.join(f'{key}: {value:.4f}' for key, value in scalars.items())
                runner.logger.info(f'{head}  {text}')
        self._looks += 1

    def _draw(self, watch: LayerMonitor, reports: dict[str, LayerReport]):
        rows = {
            f'{name}: {watch.layers.modules[name]}': report.curves()
            for name, report in reports.items()
        }
        return sep_image(rows, BANDWIDTH_THRESHOLDS)
