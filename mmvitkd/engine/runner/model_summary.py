"""Say in a line each what the student and the teacher of a run are, and what they cost."""

import os.path as osp
from collections.abc import Callable, Iterator
from typing import Any

from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ...config.provenance import model_name
from ...config.student_config import student_config
from ...models.teachers import BaseTeacher, CachedTeacher
from ...models.teachers.config import is_random_teacher
from ...models.utils.adapters import input_size_of
from ...models.utils.cost import Cost, cost_of, num_parameters
from ...models.utils.features import Grid
from ...utils.isolated_eval import isolated_eval
from ...utils.unwrap import unwrap_model


def model_lines(runner: Runner) -> Iterator[str]:
    """Yield a line about the student, one about the teacher, and one about its image size.

    The last is left out if both take images of one size.

    Args:
        runner: The runner, with its model.
    """
    model = unwrap_model(runner.model)
    config = runner.cfg.get('model') or {}
    student: nn.Module = getattr(model, 'student', model)
    size = input_size_of(student)
    name = model_name(student_config(config)) if config else type(student).__name__
    cost = None
    if size is not None:
        cost = _measured(runner, lambda: cost_of(student, size))
    yield f'Student: {name}, {_size_text(cost or Cost(num_parameters(student), 0), size)}'
    teacher = getattr(model, 'teacher', None)
    if isinstance(teacher, BaseTeacher):
        yield from _teacher_lines(runner, teacher, config, size)


def _teacher_lines(
    runner: Runner, teacher: BaseTeacher, config: dict[str, Any], student: Grid | None
) -> Iterator[str]:
    given, file = config.get('teacher'), config.get('teacher_ckpt')
    name = model_name(given) if isinstance(given, str | dict) else teacher.name
    if file:
        name += f' with {osp.basename(file)}'
    elif config.get('allow_random_teacher') and (
        not isinstance(given, str | dict) or is_random_teacher(given, None, True)
    ):
        name += ' with RANDOM weights'
    size = teacher.input_size or student
    if isinstance(teacher, CachedTeacher) and teacher.live is None:
        yield f'Teacher: {name}, its outputs in {teacher.folder}'
        return
    cost = None
    if size is not None:
        image = next(runner.model.parameters()).new_zeros(1, 3, *(student or size))
        cost = _measured(runner, lambda: teacher.cost(image))
    yield f'Teacher: {name}, {_size_text(cost, size) if cost else "of unknown cost"}'
    if student is not None and size is not None and student != size:
        yield _other_size(size, student, teacher, given)


def _measured(runner: Runner, measure: Callable[[], Cost | None]) -> Cost | None:
    """Return a cost, or None if a model cannot run on one blank image."""
    model = runner.model
    if is_model_wrapper(model) and not isinstance(model, DistributedDataParallel):
        return None  # a sharded model does not run on one rank
    try:
        with isolated_eval(next(model.parameters()).device, 0):
            return measure()
    except Exception as error:  # of any kind: a user's model that trains all the same
        print_log(f'The cost is unknown: {type(error).__name__}: {error}', 'current')
        return None


def _other_size(size: Grid, student: Grid, teacher: BaseTeacher, given: Any) -> str:
    """Return what it costs that the teacher's images have another size."""
    ratio = size[0] * size[1] / (student[0] * student[1])
    line = (
        f'Teacher size: {_pixels(size)}, to which its images are resized from '
        f'{_pixels(student)}: {ratio:.1f} x the tokens'
    )
    kind = str(given.get('type') if isinstance(given, dict) else given)
    is_timm = kind.startswith('timm:') or kind.endswith('TimmClassifier')
    patch = size[0] // teacher.token_grid[0] if teacher.token_grid else size[0]
    if is_timm and ratio > 1 and student[0] % patch == 0:
        line += f'; model.teacher.img_size={student[0]} avoids it'
    return line


def _size_text(cost: Cost, size: Grid | None) -> str:
    macs = f', {_short(cost.macs)} MACs' if cost.macs else ''
    at = f' at {_pixels(size)}' if size else ''
    return f'{_short(cost.parameters)} parameters{macs}{at}'


def _short(number: int) -> str:
    """Return a number with three digits and K, M or G."""
    for power, prefix in ((9, 'G'), (6, 'M'), (3, 'K')):
        if number >= 10**power:
            return f'{number / 10**power:.3g} {prefix}'
    return str(number)


def _pixels(size: Grid) -> str:
    """Return the text of an image size (H, W)."""
    return f'{size[0]} px' if size[0] == size[1] else f'{size[0]} x {size[1]} px'
