"""Load a distillation with its teacher and its connectors, as its losses compare features."""

from collections.abc import Mapping
from logging import WARNING
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch import Tensor

from ..analysis.features.loaded_model import LoadedModel
from ..checkpoint.load_strict import load_strict
from ..checkpoint.load_strict import load_student as load_weights
from ..checkpoint.read import read_checkpoint, weights_of
from ..config.provenance import provenance_of
from ..export.eval_transform import PipelineTransform
from ..export.plain_config import bare_student
from ..models.algorithms import FeatureDistill
from ..models.teachers import Teacher
from ..models.teachers.config import is_random_teacher
from .load_model import RANDOM

DISTILLER = 'distiller.'


class LoadedDistillation(NamedTuple):
    """A distillation in eval mode, on the CPU.

    Attributes:
        model: The ``FeatureDistill``.
        teacher: What its teacher is, in words.
        random_teacher: Whether no weights were loaded into its teacher.
        student: Its student, with the preprocessing of its evaluation.
        has_connectors: Whether the weights of its connectors, such as projectors, were loaded,
            or it has none.
    """

    model: FeatureDistill
    teacher: str
    random_teacher: bool
    student: LoadedModel
    has_connectors: bool


def load_distillation(
    cfg: Config,
    checkpoint: str | None,
    ema: bool = False,
    allow_random: bool = False,
    teacher_checkpoint: str | None = None,
) -> LoadedDistillation:
    """Build a distillation from its config, and load a checkpoint of its training, strictly.

    Args:
        cfg: The config of a distillation.
        checkpoint: A checkpoint of the distillation, or of its student alone; None leaves the
            student random.
        ema: Whether to take the moving average of the student's weights.
        allow_random: Whether the teacher may be random, if no file is given for it.
        teacher_checkpoint: The teacher's weights, instead of the config's ``teacher_ckpt``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If something does not fit.
    """
    config = cfg.to_dict()['model']
    # How a training runs is of no concern here, nor where its weights came from.
    for key in ('data_preprocessor', 'teacher_cache', 'student_ckpt', 'compile_student'):
        config.pop(key, None)
    config |= dict(architecture=bare_student(cfg), teacher_options=None)
    config['allow_random_teacher'] = allow_random or config.get('allow_random_teacher', False)
    if teacher_checkpoint is not None:
        config['teacher_ckpt'] = teacher_checkpoint
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(config)
    has_connectors = True
    if checkpoint is not None:
        load_weights(model.student, checkpoint, ema)
        has_connectors = _load_connectors(model, checkpoint)
    elif allow_random:
        model.init_weights()
    model.eval()
    weights = f'{"EMA " if ema else ""}weights of {checkpoint}' if checkpoint else RANDOM
    transform = PipelineTransform(cfg, model.student)
    provenance = f'{cfg.filename}, {weights}'
    student = LoadedModel(model.student, transform, provenance, checkpoint is None)
    given = (config['teacher'], config.get('teacher_ckpt'), config['allow_random_teacher'])
    is_random = isinstance(model.teacher, Teacher) and is_random_teacher(*given)
    weights = RANDOM if is_random else f'weights of {given[1] or "its config"}'
    teacher = f'{provenance_of(config).teacher}, {weights}'
    if is_random:
        message = f'RANDOM WEIGHTS: nothing was loaded into the teacher of {cfg.filename}.'
        print_log(message, 'current', WARNING)
    return LoadedDistillation(model, teacher, is_random, student, has_connectors)


def _load_connectors(model: Any, path: str) -> bool:
    """Load what the distiller has of its own; return whether the file holds it."""
    if not model.distiller.state_dict():
        return True
    weights: Mapping[str, Tensor] = weights_of(read_checkpoint(path), path)
    own = {
        key.removeprefix(DISTILLER): value
        for key, value in weights.items()
        if key.startswith(DISTILLER)
    }
    if own:
        load_strict(model.distiller, own, 'checkpoint', path)
    return bool(own)
