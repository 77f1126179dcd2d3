"""Count what the models of a config cost: parameters and multiply-accumulates."""

import inspect
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch import nn

from ..config.load_config import load_config
from ..config.provenance import provenance_of
from ..datasets.dataset_names import pipeline_of
from ..export.image_input import image_input_of
from ..models.algorithms import FeatureDistill
from ..models.teachers.config import teacher_config
from ..models.utils.adapters import input_size_of
from ..models.utils.cost import Cost, cost_of, distillation_cost_of

# Keys that name weights, and the preprocessor, which costs nothing here.
LEFT_OUT = (
    'pretrained',
    'checkpoint_path',
    'init_cfg',
    'teacher_ckpt',
    'student_ckpt',
    'data_preprocessor',
)


def count_cost(path: str) -> dict[str, Any]:
    """Count what a config's models cost, with random weights: nothing is loaded or downloaded.

    Args:
        path: A config, see :func:`~mmvitkd.config.load_config.load_config`.

    Returns:
        ``config``, ``student``, ``teacher``, ``losses`` (parameters and MACs for one image) and
        ``added_share``, what distillation adds to a training step of the student. The last
        three are None if nothing is distilled; the teacher's numbers are None if unknown. With
        a ``teacher_cache`` the teacher costs nothing: this is the cost once that is filled.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it has no model, a distillation of another type than
            ``mmvitkd.FeatureDistill``, or an unknown input size.
    """
    cfg = load_config(path, measure=False, check=False)  # of a model, perhaps without a run
    if not cfg.get('model'):
        raise ValueError('this config has no model.')
    model = cfg.to_dict()['model']
    cached = model.pop('teacher_cache', None) is not None
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmpretrain'):
        built = _build(model)
        teacher = losses = share = None
        if isinstance(built, FeatureDistill):
            size = _size_of(built.student, cfg)
            student = cost_of(built.student, size)
        else:
            size = _size_of(built, cfg)
            student = cost_of(built, size)
        if getattr(built, 'teacher', None) is not None:
            cost = distillation_cost_of(built, size)
            if cached:
                cost = cost._replace(teacher=Cost(0, 0))
            numbers = cost.teacher._asdict() if cost.teacher else dict.fromkeys(Cost._fields)
            name = f'{provenance_of(model).teacher}{" (cached)" if cached else ""}'
            teacher = dict(name=name, image_size=cost.teacher_size, **numbers)
            losses, share = cost.losses._asdict(), cost.share
    return dict(
        config=path,
        student=dict(image_size=size, **student._asdict()),
        teacher=teacher,
        losses=losses,
        added_share=share,
    )


def _without_weights(node: Any) -> Any:
    """Return a config's model without the weights that it names."""
    if isinstance(node, dict):
        return {k: _without_weights(v) for k, v in node.items() if k not in LEFT_OUT}
    if isinstance(node, list | tuple):
        return [_without_weights(child) for child in node]
    return node


def _build(model: dict[str, Any]) -> nn.Module:
    """Build a classifier or a distillation, with random weights.

    Raises:
        ValueError: If it is a distillation of another type than ``mmvitkd.FeatureDistill``.
    """
    teacher = model.get('teacher')
    if teacher is not None:
        kind = MODELS.get(model['type'])
        if not (inspect.isclass(kind) and issubclass(kind, FeatureDistill)):
            raise ValueError(
                f"model.type={model['type']!r} has a teacher; wanted 'mmvitkd.FeatureDistill', "
                'or a classifier without one.'
            )
        teacher = teacher_config(teacher, allow_random=True)
        model = {**model, 'teacher': teacher, 'allow_random_teacher': True}
    return MODELS.build(_without_weights(model))


def _size_of(student: nn.Module, cfg: Config) -> tuple[int, int]:
    """Return the (H, W) that a student states, or else that of its test pipeline's images.

    Raises:
        ValueError: If neither states it.
    """
    size = input_size_of(student)
    if size is not None:
        return size
    split = 'test' if cfg.get('test_dataloader') else 'val'
    dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
    pipeline = pipeline_of(dataset, f'{split}_dataloader.dataset') or []
    return image_input_of(student, pipeline).size
