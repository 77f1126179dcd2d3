"""Apply ``img_size=N``: the student's images, and the crops and resizes that make them."""

from typing import Any, NoReturn

from mmengine.config import Config

from ..utils.errors import KeyedValueError
from .data_config import datasets_of
from .student_config import student_config

KEY = 'img_size'
# Transforms that cut out images of the final size, and the argument that says so.
CROPS = {
    'LoadRandomResizedCrop': 'scale',
    'RandomResizedCrop': 'scale',
    'CenterCrop': 'crop_size',
    'RandomCrop': 'crop_size',
}
RESIZES = ('ResizeEdge', 'Resize')


def apply_img_size(cfg: Config) -> None:
    """Set the student's image size, and that of the pipelines.

    Where an image is resized before it is cropped, the ratio of the two stays: 256 before 224
    becomes 128 before 112. The teacher keeps its size; images are resized for it.

    Args:
        cfg: The config of a run, changed in place.

    Raises:
        ValueError: If it is not an int above 0, is not divisible into patches, or nothing in
            the model or a pipeline takes it.
    """
    if cfg.get(KEY) is None:
        return
    size = cfg.img_size
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        _refuse(f'{{{KEY}}}={size!r}: wanted an int above 0, in pixels.')
    _set_student(student_config(cfg.get('model') or {}), size)
    for split, dataset, _ in datasets_of(cfg):
        _set_pipeline(dataset.get('pipeline') or [], size, f'{split}_dataloader')


def _set_student(student: dict[str, Any], size: int) -> None:
    part = student.get('backbone')
    if part is None and 'model_name' not in student:
        _refuse(f'{{{KEY}}}={size}: this config has no model that takes it.')
    part = student if part is None else part.get('base', part)
    patch = part.get('patch_size')
    if isinstance(patch, int) and size % patch:
        _refuse(
            f'{{{KEY}}}={size}: the patches of the student have {patch} x {patch} pixels; '
            f'wanted a multiple of {patch}, such as {max(round(size / patch), 1) * patch}.'
        )
    part['img_size'] = size


def _set_pipeline(pipeline: list[dict[str, Any]], size: int, key: str) -> None:
    steps = [(str(step['type']).rpartition('.')[2], step) for step in pipeline]
    crops = [(step, CROPS[kind]) for kind, step in steps if kind in CROPS]
    resizes = [step for kind, step in steps if kind in RESIZES]
    if not crops and not resizes:
        _refuse(
            f'{{{KEY}}}={size}: the pipeline of {key} has neither {" nor ".join(CROPS)} nor '
            f'{" nor ".join(RESIZES)}, which it could set.'
        )
    for step in resizes:
        old = crops[-1][0].get(crops[-1][1]) if crops else step['scale']
        step['scale'] = _scaled(step['scale'], size, old)
    for step, argument in crops:
        step[argument] = size


def _scaled(scale: Any, size: int, old: Any) -> Any:
    """Return the scale of a resize whose final size was `old`."""
    if isinstance(scale, list | tuple):
        olds = old if isinstance(old, list | tuple) else [old] * len(scale)
        return tuple(_scaled(s, size, o) for s, o in zip(scale, olds, strict=True))
    old = old[0] if isinstance(old, list | tuple) else old
    return round(scale * size / old)


def _refuse(message: str) -> NoReturn:
    raise KeyedValueError(message, KEY)
