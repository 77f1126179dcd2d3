"""Measure the teacher's own validation accuracy before the first epoch."""

from math import sqrt
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ...metrics import Accuracy
from ...models.students import ImageEncoder
from ...models.teachers import BaseTeacher, CachedTeacher
from ...models.utils.adapters import adapter_for
from ...registry import HOOKS
from ...utils import random_state
from ...utils.on_screen import OnScreen
from ...utils.unwrap import unwrap_model

# With fewer validation images, an accuracy says little.
MIN_IMAGES = 30
# Of a teacher that is read from a cache, so many stored views are compared with their labels.
STORED_VIEWS = 10_000


@HOOKS.register_module()
class TeacherAccuracyHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Log the teacher's top-1 on the validation set before a training starts.

    A teacher with other classes, or one whose input is normalised differently, costs a whole
    run if nobody notices. The log states the top-1, or the reason why there is none; a teacher
    no better than chance gives a large warning. Training does not change: the random state is
    restored. Resumed runs, and runs without a teacher or without labels are skipped. Of a
    cached teacher that is not built, stored logits are compared with the labels of the training
    images.

    Args:
        enable: Whether to measure, which takes one forward pass of the teacher over the set.
    """

    priority = 'LOW'

    def __init__(self, enable: bool = True) -> None:
        self.enable = enable

    def before_train(self, runner: Runner) -> None:
        """Measure and log."""
        model = unwrap_model(runner.model)
        teacher = getattr(model, 'teacher', None)
        if not self.enable or not isinstance(teacher, BaseTeacher) or runner.iter > 0:
            return
        if isinstance(model.student, ImageEncoder):
            return
        with random_state.preserved():
            self._log(runner, model, teacher)

    def _log(self, runner: Runner, model: Any, teacher: BaseTeacher) -> None:
        classes = adapter_for(model.student).num_classes
        if not classes:
            reason = 'the student does not state its number of classes (head.num_classes)'
            runner.logger.info(OnScreen(f"The teacher's own validation top-1: none, {reason}."))
        elif isinstance(teacher, CachedTeacher) and any(
            all_gather_object(teacher.live is None)  # each machine may have a cache of its own
        ):
            _log_stored(runner, teacher, classes)
        else:
            _log_validated(runner, model, teacher, classes)


def _log_validated(runner: Runner, model: Any, teacher: BaseTeacher, classes: int) -> None:
    """Log the top-1 on the validation set, or why there is none."""
    metric, reason = Accuracy(topk=1), 'this run does not validate'
    if runner.val_loop is not None:
        reason = _predict(runner, model, teacher, metric, classes)
    reasons = [reason for reason in all_gather_object(reason) if reason]
    if reasons:
        runner.logger.info(OnScreen(f"The teacher's own validation top-1: none, {reasons[0]}."))
        return
    images = len(runner.val_loop.dataloader.dataset)
    top1 = metric.evaluate(images)['accuracy/top1'] / 100
    _log_top1(runner, 'validation top-1', top1, images, classes)


def _log_stored(runner: Runner, teacher: CachedTeacher, classes: int) -> None:
    """Log the top-1 of stored logits on training images, or why there is none."""
    rows = teacher.some_stored_rows(STORED_VIEWS)
    logits = teacher.stored_logits(rows) if len(rows) else None
    labels = getattr(runner.train_loop.dataloader.dataset, 'get_gt_labels', None)
    if logits is None or labels is None or logits.shape[1] != classes:
        reason = 'no logits' if logits is None else 'no labels of the same classes'
        runner.logger.info(OnScreen(f"The teacher's own top-1: none, the cache has {reason}."))
        return
    wanted = labels()[[teacher.view_of(row)[0] for row in rows]]
    top1 = float((logits.argmax(1).numpy() == wanted).mean())
    _log_top1(runner, 'top-1 on stored training views', top1, len(rows), classes)


def _log_top1(runner: Runner, what: str, top1: float, images: int, classes: int) -> None:
    """Log a top-1 between 0 and 1; warn if it is no better than chance."""
    chance = 1 / classes
    text = (
        f"The teacher's own {what}: {100 * top1:.2f} % "
        f'of {images:,} images (chance: {100 * chance:.2f} %).'
    )
    # Three standard deviations above chance, or half-way from chance to 100 % if there
    # are too few images for that.
    margin = min(3 * sqrt(chance * (1 - chance) / images), (1 - chance) / 2)
    if top1 > chance + margin:
        runner.logger.info(OnScreen(text))
    elif images < MIN_IMAGES:
        runner.logger.warning(f'{text} Too few images to tell it from chance.')
    else:
        bar = '!' * 72
        runner.logger.warning(
            f'{text}\n{bar}\nTHE TEACHER IS AT CHANCE LEVEL. Its weights, its classes or '
            'their order, or its\ninput do not match this data set: it would teach '
            f'noise.\n{bar}'
        )


def _predict(
    runner: Runner, model: Any, teacher: BaseTeacher, metric: Accuracy, classes: int
) -> str:
    """Fill a metric with the teacher's predictions; return the reason if there are none."""
    for batch in runner.val_loop.dataloader:
        data = model.data_preprocessor(batch, False)
        samples = data['data_samples']
        if not all(_has_one_label(sample) for sample in samples):
            return 'the validation set does not have one label per image'
        logits = teacher.logits(data['inputs'], samples)
        if not isinstance(logits, Tensor) or logits.dim() != 2:
            return f'a {teacher.name} gives no logits'
        if logits.shape[1] != classes:
            return f'it has {logits.shape[1]} outputs for {classes} classes'
        for sample, scores in zip(samples, logits.softmax(1), strict=True):
            sample.set_pred_score(scores)
        metric.process(batch, [sample.to_dict() for sample in samples])
    return ''


def _has_one_label(sample: Any) -> bool:
    label = sample.get('gt_label')
    return label is not None and label.numel() == 1
