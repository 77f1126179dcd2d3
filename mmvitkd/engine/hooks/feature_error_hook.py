"""Log how much of its target a student explains, next to the target's mean token."""

from collections import deque
from functools import partial
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce, get_dist_info
from mmengine.hooks import CheckpointHook, Hook, LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from torch import Tensor

from ...models import FeatureDistill
from ...models.algorithms.loss_inputs import LossInputs, loss_inputs
from ...models.losses.error_sums import RelativeErrors, error_sums, relative_errors
from ...models.teachers import CachedTeacher, Teacher
from ...registry import HOOKS
from ...utils.on_screen import OnScreen
from ...utils.unwrap import unwrap_model
from ..logging.async_history_buffer import AsyncHistoryBuffer
from ..runner.warmup import warmup_iters

Sums = dict[str, Tensor]  # by the name of the loss
KEY = 'feature_errors'  # in a checkpoint
ERRORS, MEANS = RelativeErrors._fields, ('rel_error', 'r2')
RECENT = 10  # measured steps that a warning is about
# The least relative energy about the mean token that rounding cannot be the reason of.
ROUNDING = 1e-12


@HOOKS.register_module()
class FeatureErrorHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Log the relative error and R2 of every feature loss, next to those of the mean token.

    ``feature/pair_0/rel_error`` (named after the loss ``loss_pair_0``), ``.../r2`` and
    ``.../mean_token`` are of the last measured batch of all ranks, both sides as the loss
    compares them; see :class:`~mmvitkd.models.losses.error_sums.RelativeErrors`. The mean
    token is that of all measured batches until then, the last one included.
    ``.../val_rel_error`` and so on are exact: of all validation images in float32, with the
    mean token of these; ``feature/val_rel_error`` and ``feature/val_r2`` are the means over the
    losses. With an EMA of the student there are also ``.../val_rel_error_ema`` and so on, of
    the average with the projector as it is.

    A student that is worse than the mean token after the warm-up gets a large warning, once
    for each loss.

    Nothing is read from the device in a step that does not log. Losses, gradients and random
    numbers are those of a run without the hook. Losses that compare no features are left out,
    as are validation images that no live teacher can see; the log says so. A teacher whose
    cache is complete is built if nothing else would be validated, or ``save_best`` names them.

    Args:
        interval: The iterations from one measured batch to the next; None for those that the
            log shows.
        validate: Whether the validation images are measured, which takes a pass of the teacher.

    Raises:
        ValueError: If ``interval`` is below 1.
    """

    priority = 55  # after the validation of an EMA, before the log

    def __init__(self, interval: int | None = None, validate: bool = True) -> None:
        if interval is not None and interval < 1:
            raise ValueError(f'FeatureErrorHook.interval={interval!r}: wanted 1 or more.')
        self.interval, self.validate = interval, validate
        self._losses: dict[str, LossInputs] = {}
        self._handles: list[Any] = []
        self._sums: Sums = {}
        self._seen: Sums = {}  # (1 + C,): number and sum of the target's tokens until now
        self._recent: dict[str, deque[Tensor]] = {}
        self._warmup = 0
        self._warned: set[str] = set()
        self._passes: list[Sums] | None = None
        self._num_val = 0  # of this rank's images in this pass

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Go on with the mean tokens of a resumed run."""
        if runner._resume:
            self._seen = dict(checkpoint.get(KEY) or {})

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Save the mean tokens."""
        if self._seen:
            checkpoint[KEY] = {name: seen.cpu() for name, seen in self._seen.items()}

    def before_train(self, runner: Runner) -> None:
        """Find the losses."""
        model = unwrap_model(runner.model)
        if not isinstance(model, FeatureDistill) or model.teacher is None:
            return
        self._losses = {each.name: each for each in loss_inputs(model.distiller)}
        self._warmup = warmup_iters(runner)
        if self.interval is None:
            self.interval = _logging_interval(runner)
        device = next(model.parameters()).device
        self._seen = {name: seen.to(device) for name, seen in self._seen.items()}
        # One that fails alone, as without the teacher's file, would leave the others waiting.
        reasons = all_gather_object(self._refusal_reason(runner, model) if self._losses else '')
        reason = next(filter(None, reasons), '')
        if reason and self.validate:
            runner.logger.info(
                OnScreen(f'Relative errors of the features in validation: none, {reason}.')
            )
        self.validate = self.validate and not reason

    def metric_names(self, runner: Runner) -> list[str]:
        """Return the names of what it adds to the metrics of a validation, without ``_ema``."""
        model = unwrap_model(runner.model)
        teacher = getattr(model, 'teacher', None)
        if not self.validate or not isinstance(teacher, Teacher | CachedTeacher):
            return []
        names = [each.name for each in loss_inputs(model.distiller)]
        each = [f'feature/{name}/val_{key}' for name in names for key in ERRORS]
        return [*each, *(f'feature/val_{key}' for key in MEANS)]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Watch the losses in a step that is measured, as is the last one of an epoch."""
        if not self._losses or self.interval is None:
            return
        is_last = batch_idx + 1 == len(runner.train_loop.dataloader)
        if is_last or (batch_idx + 1) % self.interval == 0:
            self._handles = [
                each.loss.register_forward_pre_hook(
                    partial(self._measure, runner, each), with_kwargs=True
                )
                for each in self._losses.values()
            ]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Log what was measured."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        sums, self._sums = _of_all_ranks(self._sums), {}
        for name, each in sums.items():
            seen = self._seen.get(name)
            self._seen[name] = seen = each[2:] if seen is None else seen + each[2:]
            mean_token = seen[1:] / seen[0]
            _log_train(runner, name, relative_errors(each, mean_token))
            if runner.iter >= self._warmup:
                self._recent.setdefault(name, deque(maxlen=RECENT)).append(each)

    def after_train_epoch(self, runner: Runner) -> None:
        """Compare the last batches with the mean token."""
        errors = {}
        for name, recent in self._recent.items():
            seen = self._seen[name]
            sums = torch.stack(list(recent)).sum(0)
            errors[name] = relative_errors(sums, seen[1:] / seen[0])
        self._warn_of_worse(runner, errors, 'the last training batches')

    def before_val_epoch(self, runner: Runner) -> None:
        """Begin to measure validation images, while a student is distilled."""
        stopped = getattr(unwrap_model(runner.model), 'distillation_stopped', False)
        is_measured = self._losses and self.validate and not stopped
        self._passes = [] if is_measured else None

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Record what the student computes."""
        if self._passes is None:
            return
        if batch_idx == 0:  # again where the hook of an EMA validates the average
            self._passes.append({})
            self._num_val = 0
        unwrap_model(runner.model).distiller.student_recorders.__enter__()

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Compare it with the teacher's features."""
        if self._passes is None:
            return
        model = unwrap_model(runner.model)
        recorders = model.distiller.student_recorders
        recorders.__exit__(None, None, None)
        try:
            self._measure_val(runner, model, data_batch)
        finally:
            model.distiller.teacher_tensors = {}
            for recorder in recorders.recorders.values():
                recorder.reset_data_buffer()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add the exact errors to the metrics."""
        passes, self._passes = self._passes or [], None
        found = {}
        for suffix, sums in zip(('', '_ema'), passes, strict=False):
            errors = {k: relative_errors(each) for k, each in _of_all_ranks(sums).items()}
            for name in [k for k, each in errors.items() if each.mean_token < ROUNDING]:
                del errors[name]
                runner.logger.warning(
                    f'Relative error of loss_{name} in validation: none, as the teacher says '
                    'the same everywhere; wanted two images or more, which differ.'
                )
            for key in MEANS if errors else ():
                mean = sum(float(getattr(each, key)) for each in errors.values()) / len(errors)
                found[f'feature/val_{key}{suffix}'] = mean
            for name, each in errors.items():
                for key, value in each._asdict().items():
                    found[f'feature/{name}/val_{key}{suffix}'] = float(value)
            if not suffix and runner.iter > self._warmup:
                self._warn_of_worse(runner, errors, 'the validation images')
        RuntimeInfoHook().after_val_epoch(runner, found)
        if metrics is not None:
            metrics.update(found)

    def _measure(
        self, runner: Runner, each: LossInputs, module: Any, args: Any, kwargs: dict[str, Any]
    ) -> None:
        """Sum the errors of what a loss is given, the first time in a step."""
        if each.name not in self._sums:
            self._add(runner, each, kwargs, self._sums)

    def _measure_val(self, runner: Runner, model: Any, data_batch: Any) -> None:
        assert self._passes is not None
        data = model.data_preprocessor(data_batch, False)
        with torch.no_grad(), torch.compiler.set_stance('force_eager'):
            tensors = model.teacher(data['inputs'], data['data_samples'])
            model.distiller.teacher_tensors = tensors
            kept = self._num_without_padding(runner, len(data['inputs']))
            for each in list(self._losses.values()):
                self._add(runner, each, each.recorded(model.distiller), self._passes[-1], kept)

    def _num_without_padding(self, runner: Runner, count: int) -> int:
        """Return how many of a batch are not there only to make the ranks equally long."""
        rank, world_size = get_dist_info()
        total = len(runner.val_loop.dataloader.dataset)
        mine = len(range(rank, total, world_size))  # as the sampler divides the images
        kept = min(count, max(0, mine - self._num_val))
        self._num_val += count
        return kept

    def _add(
        self,
        runner: Runner,
        each: LossInputs,
        arguments: dict[str, Any],
        sums: Sums,
        kept: int | None = None,
    ) -> None:
        """Add the sums of a batch; leave a loss out if it compares no features."""
        try:
            student, teacher = each.compared(arguments)
        except ValueError as error:
            runner.logger.info(f'Relative error of loss_{each.name}: none, {error}.')
            del self._losses[each.name]
            return
        found = error_sums(student[:kept], teacher[:kept])
        sums[each.name] = sums[each.name] + found if each.name in sums else found

    def _refusal_reason(self, runner: Runner, model: Any) -> str:
        """Return why validation images cannot be measured; '' if they can."""
        if runner.val_loop is None:
            return 'this run does not validate'
        if model.distiller.deliveries.deliveries:
            return 'distiller.distill_deliveries are for training'
        teacher = model.teacher
        if isinstance(teacher, CachedTeacher):
            if self.validate and _is_needed(runner):
                try:
                    teacher.build_live()
                except (OSError, ValueError) as error:
                    return f'the teacher cannot be built: {error}'
            teacher = teacher.live
        if teacher is None:
            return 'the teacher is not built, as its cache is complete'
        if not isinstance(teacher, Teacher):
            return f'a {teacher.name} is no model that can be run on them'
        return ''

    def _warn_of_worse(
        self, runner: Runner, errors: dict[str, RelativeErrors], images: str
    ) -> None:
        """Warn of the losses that are worse than the mean token, each once, in one warning."""
        worse = {
            name: each
            for name, each in errors.items()
            if name not in self._warned and float(each.r2) < 0
        }
        if not worse:
            return
        self._warned.update(worse)
        numbers = '; '.join(
            f'loss_{name}: {float(each.rel_error):.3g}, and {float(each.mean_token):.3g} (R2 '
            f'{float(each.r2):.3g})'
            for name, each in worse.items()
        )
        bar = '!' * 72
        runner.logger.warning(
            f'The relative error of the student on {images}, and that of the mean token: '
            f'{numbers}.\n{bar}\n'
            'THE STUDENT IS WORSE THAN A CONSTANT: one vector for all images and positions\n'
            'explains more of the target. It may need more epochs, a larger loss_weight or\n'
            f'learning rate, or another target (docs/targets.md).\n{bar}'
        )


def _is_needed(runner: Runner) -> bool:
    """Return whether a validation is about the errors of the features."""
    hooks = (hook for hook in runner.hooks if isinstance(hook, CheckpointHook))
    best = [name for hook in hooks if hook.save_best for name in hook.key_indicators or ()]
    chosen = any(name.startswith('feature/') for name in best)
    return chosen or not runner.val_loop.evaluator.metrics


def _logging_interval(runner: Runner) -> int | None:
    """Return the iterations between two lines of the log; None without a log."""
    hooks = (hook for hook in runner.hooks if isinstance(hook, LoggerHook))
    return next((int(hook.interval) for hook in hooks), None)


def _log_train(runner: Runner, name: str, errors: RelativeErrors) -> None:
    """Log numbers that stay on the device until the log is written."""
    hub = runner.message_hub
    for key, value in errors._asdict().items():
        full = f'train/feature/{name}/{key}'
        buffer = hub.log_scalars.get(full)
        if isinstance(buffer, AsyncHistoryBuffer):
            buffer.defer_tensor(value.float())
        else:
            hub.update_scalar(full, value.item())


def _of_all_ranks(sums: Sums) -> Sums:
    """Add the sums of all ranks, in one call."""
    if not sums or get_dist_info()[1] == 1:
        return sums
    whole = torch.cat(list(sums.values()))
    all_reduce(whole)
    parts = whole.split([len(each) for each in sums.values()])
    return dict(zip(sums, parts, strict=True))
