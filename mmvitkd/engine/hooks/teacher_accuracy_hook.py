"""The teacher's own validation accuracy, before the first epoch."""

from math import sqrt
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from torch import Tensor

from ...metrics import Accuracy
from ...registry import HOOKS
from ...utils import random_state
from ...utils.unwrap import unwrap_model

# Validation images below which an accuracy says little.
FEW = 30


@HOOKS.register_module()
class TeacherAccuracyHook(Hook):
    """Logs the teacher's top-1 on the validation set before a training starts.

    A teacher that learned other classes, or that gets its input normalised otherwise, costs
    a whole run if nobody looks. The log says the top-1, or why there is none; a teacher no
    better than chance is a warning nobody can miss. Nothing of the training changes: the
    random state is put back. A resumed run and one without a teacher are left alone.

    Args:
        enable: Whether to look; it takes one forward pass of the teacher over the set.
    """

    priority = 'LOW'

    def __init__(self, enable: bool = True) -> None:
        self.enable = enable

    def before_train(self, runner) -> None:
        """Measure and tell."""
        model = unwrap_model(runner.model)
        teacher = getattr(model, 'teacher', None)
        if not self.enable or teacher is None or runner.iter > 0:
            return
        state = random_state.get_state()
        try:
            self._tell(runner, model, teacher)
        finally:
            random_state.set_state(state)

    def _tell(self, runner, model, teacher) -> None:
        metric, classes = Accuracy(topk=1), _num_classes(model.student)
        why_not = _why_not_at_all(runner, teacher, classes)
        why_not = why_not or _predict(runner, model, teacher, metric, classes)
        reasons = [reason for reason in all_gather_object(why_not) if reason]
        if reasons:
            runner.logger.info(f"The teacher's own validation top-1: none, {reasons[0]}.")
            return
        images = len(runner.val_loop.dataloader.dataset)
        top1 = metric.evaluate(images)['accuracy/top1'] / 100
        chance = 1 / classes
        text = (
            f"The teacher's own validation top-1: {100 * top1:.2f} % "
            f'of {images:,} images (chance: {100 * chance:.2f} %).'
        )
        # Three standard deviations above what guessing would get right, or half-way to all
        # right where there are too few images for that.
        margin = min(3 * sqrt(chance * (1 - chance) / images), (1 - chance) / 2)
        if top1 > chance + margin:
            runner.logger.info(text)
            return
        if images < FEW:
            runner.logger.warning(f'{text} Too few images to tell it from chance.')
            return
        bar = '!' * 72
        runner.logger.warning(
            f'{text}\n{bar}\nTHE TEACHER IS AT CHANCE LEVEL. Its weights, its classes or their '
            'order, or its\ninput are not what this data set wants: what it teaches is noise.'
            f'\n{bar}'
        )


def _num_classes(student) -> int:
    """The classes that an MMPretrain or timm classifier says it has, or 0."""
    part = getattr(student, 'head', None) or getattr(student, 'model', None)
    return getattr(part, 'num_classes', 0)


def _why_not_at_all(runner, teacher, classes: int) -> str:
    """Why there is no accuracy, if one can tell beforehand."""
    if not hasattr(teacher, 'logits'):
        return f'a {type(teacher).__name__} has no logits'
    if not classes:
        return 'the student does not say its number of classes (head.num_classes)'
    return '' if runner.val_loop is not None else 'this run does not validate'


def _predict(runner, model, teacher, metric, classes: int) -> str:
    """Fill a metric with the teacher's predictions; else say why there are none."""
    for batch in runner.val_loop.dataloader:
        data = model.data_preprocessor(batch, False)
        samples = data['data_samples']
        if not all(_has_one_label(sample) for sample in samples):
            return 'the validation set does not have one label an image'
        logits = teacher.logits(data['inputs'])
        if not isinstance(logits, Tensor) or logits.dim() != 2:
            return 'it gives no logits'
        if logits.shape[1] != classes:
            return f'it has {logits.shape[1]} outputs for {classes} classes'
        for sample, scores in zip(samples, logits.softmax(1), strict=True):
            sample.set_pred_score(scores)
        metric.process(batch, [sample.to_dict() for sample in samples])
    return ''


def _has_one_label(sample: Any) -> bool:
    label = sample.get('gt_label')
    return label is not None and label.numel() == 1
