"""Expand a config's top-level shortcuts to every place that must agree with them."""

from collections.abc import Collection, Iterator
from typing import Any

from mmengine.config import Config

from .data_config import datasets_of
from .fast import apply_fast
from .img_size import apply_img_size
from .layers import Layers
from .student_config import student_config
from .teacher_cache import apply_teacher_cache
from .with_label import apply_with_label

# Keys at the top of a config that apply in several places.
SHORTCUTS = ('num_classes', 'data_root', 'img_size', 'with_label', 'fast', 'teacher_cache')


def apply_shortcuts(
    cfg: Config, layers: Layers | None = None, only: Collection[str] = SHORTCUTS
) -> None:
    """Copy the shortcuts of a config to where they apply.

    ``num_classes``: the student's head, the data preprocessors, and the losses and metrics that
    have such a key. The teacher keeps the number that its weights were trained with.
    ``data_root``: the data sets of training, validation and test. A setting that is stated in
    the same file as the shortcut or in a later one stays as it is, and the log says so; None
    unsets a shortcut. ``img_size``: see :func:`~mmvitkd.config.img_size.apply_img_size`.
    ``with_label``: see :func:`~mmvitkd.config.with_label.apply_with_label`. ``fast``: see
    :func:`~mmvitkd.config.fast.apply_fast`. ``teacher_cache``: see
    :func:`~mmvitkd.config.teacher_cache.apply_teacher_cache`. A config without these keys does
    not change.

    Args:
        cfg: The config of a run, changed in place.
        layers: Its files; without them, shortcuts apply everywhere.
        only: The shortcuts to apply.

    Raises:
        ValueError: If ``num_classes`` is not an int above 1, ``data_root`` not a path, ``fast``
            not a bool, or ``img_size``, ``with_label`` or ``teacher_cache`` do not fit the
            config.
    """
    layers = layers or Layers.of(None)
    number, root = cfg.get('num_classes'), cfg.get('data_root')
    if number is not None and 'num_classes' in only:
        if not isinstance(number, int) or isinstance(number, bool) or number < 2:
            raise ValueError(f'num_classes={number!r}: wanted an int above 1.')
        for key, part in _with_num_classes(cfg):
            _apply(part, 'num_classes', number, f'{key}.num_classes', layers)
    if root is not None and 'data_root' in only:
        if not isinstance(root, str) or not root:
            raise ValueError(f'data_root={root!r}: wanted the path of a folder.')
        for _, dataset, key in datasets_of(cfg):
            _apply(dataset, 'data_root', root, f'{key}.data_root', layers)
    further = dict(
        img_size=apply_img_size,
        with_label=apply_with_label,
        fast=apply_fast,
        teacher_cache=apply_teacher_cache,
    )
    for name, apply in further.items():
        if name in only:
            apply(cfg)


def _apply(part: dict[str, Any], name: str, value: Any, key: str, layers: Layers) -> None:
    """Set what a shortcut sets, unless it is stated more specifically."""
    stated = part.get(name)
    if stated in (None, '') or not layers.keeps(key, stated, name, value):
        part[name] = value


def _with_num_classes(cfg: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the parts that must know the number of classes, each with its key."""
    model = cfg.get('model') or {}
    student, key = student_config(model), 'model'
    if student is not model:
        key = 'model.architecture'
    head = student.get('head')
    if head is not None:
        yield f'{key}.head', head
    elif 'num_classes' in student or 'model_name' in student:  # a timm model
        yield key, student
    if cfg.get('data_preprocessor') is not None:
        yield 'data_preprocessor', cfg.data_preprocessor
    parts = [
        ('model.data_preprocessor', model.get('data_preprocessor')),
        (f'{key}.data_preprocessor', student.get('data_preprocessor')),
        (f'{key}.loss', student.get('loss')),
        (f'{key}.head.loss', (head or {}).get('loss')),
    ]
    for evaluator in ('val_evaluator', 'test_evaluator'):
        metrics = cfg.get(evaluator)
        if isinstance(metrics, list | tuple):
            parts += [(f'{evaluator}.{i}', metric) for i, metric in enumerate(metrics)]
        else:
            parts.append((evaluator, metrics))
    for place, part in parts:
        if part is not None and 'num_classes' in part:
            yield place, part
