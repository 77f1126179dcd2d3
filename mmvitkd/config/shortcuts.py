"""Expand a config's top-level shortcuts to every place that must agree with them."""

from mmengine.config import Config

from .data_config import datasets_of
from .fast import apply_fast
from .img_size import apply_img_size
from .student_config import student_config
from .teacher_cache import apply_teacher_cache
from .with_label import apply_with_label

# Keys at the top of a config that apply in several places.
SHORTCUTS = ('num_classes', 'data_root', 'img_size', 'with_label', 'fast', 'teacher_cache')


def apply_shortcuts(cfg: Config) -> None:
    """Copy the shortcuts of a config to where they apply.

    ``num_classes``: the student's head, the data preprocessors, and the losses and metrics that
    have such a key. The teacher keeps the number that its weights were trained with.
    ``data_root``: the data sets of training, validation and test. ``img_size``: see
    :func:`~mmvitkd.config.img_size.apply_img_size`. ``with_label``: see
    :func:`~mmvitkd.config.with_label.apply_with_label`. ``fast``: see
    :func:`~mmvitkd.config.fast.apply_fast`. ``teacher_cache``: see
    :func:`~mmvitkd.config.teacher_cache.apply_teacher_cache`. A config without these keys does
    not change.

    Args:
        cfg: The config of a run, changed in place.

    Raises:
        ValueError: If ``num_classes`` is not an int above 1, ``data_root`` not a path, ``fast``
            not a bool, or ``img_size``, ``with_label`` or ``teacher_cache`` do not fit the
            config.
    """
    if 'num_classes' in cfg:
        number = cfg.num_classes
        if not isinstance(number, int) or isinstance(number, bool) or number < 2:
            raise ValueError(f'num_classes={number!r}: wanted an int above 1.')
        _set_num_classes(cfg, number)
    if 'data_root' in cfg:
        if not isinstance(cfg.data_root, str) or not cfg.data_root:
            raise ValueError(f'data_root={cfg.data_root!r}: wanted the path of a folder.')
        for _, dataset in datasets_of(cfg):
            dataset['data_root'] = cfg.data_root
    apply_img_size(cfg)
    apply_with_label(cfg)
    apply_fast(cfg)
    apply_teacher_cache(cfg)


def _set_num_classes(cfg: Config, number: int) -> None:
    model = cfg.get('model') or {}
    student = student_config(model)
    if student.get('head') is not None:
        student['head']['num_classes'] = number
    elif 'num_classes' in student or 'model_name' in student:  # a timm model
        student['num_classes'] = number
    if cfg.get('data_preprocessor') is not None:
        cfg.data_preprocessor['num_classes'] = number
    parts = [x.get('data_preprocessor') for x in (model, student)]
    parts += [(x or {}).get('loss') for x in (student, student.get('head'))]
    for key in ('val_evaluator', 'test_evaluator'):
        metrics = cfg.get(key)
        parts += metrics if isinstance(metrics, list | tuple) else [metrics]
    for part in parts:
        if part is not None and 'num_classes' in part:
            part['num_classes'] = number
