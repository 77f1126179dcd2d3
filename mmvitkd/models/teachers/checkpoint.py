"""Strict loading of a teacher's weights: every key must match, nothing is executed."""

import inspect
from typing import Any

from mmengine.logging import print_log
from mmpretrain.models import TimmClassifier
from torch import Tensor, nn

from ...checkpoint.load_strict import load_strict
from ...checkpoint.read import student_weights


def load_teacher(
    model: nn.Module,
    config: dict[str, Any],
    checkpoint: str | None,
    allow_random: bool,
) -> None:
    """Fill a teacher with its weights, from the first of these that is given.

    ``teacher_ckpt``, a local file; a ``Pretrained`` ``init_cfg`` (or ``pretrained='file'``)
    of the whole model; ``pretrained=True`` of a ``TimmClassifier``, which timm has loaded
    when it built the model.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it cannot be read, if a key is missing, unknown or of another shape,
            or if there is nothing to load and ``allow_random`` is not set.
    """
    checkpoint = checkpoint or _pretrained_file(model)
    if checkpoint:
        load_file(model, checkpoint)
        print_log(f'Teacher loaded from {checkpoint}', logger='current')
    elif isinstance(model, TimmClassifier) and config.get('pretrained'):
        print_log(f'Teacher {config["model_name"]} loaded by timm', logger='current')
    elif not allow_random:
        raise ValueError(
            f'teacher: nothing was loaded into this {config.get("type")}, its weights are '
            'random. Give teacher_ckpt="FILE" (or pretrained=True for a TimmClassifier), or '
            'set allow_random_teacher=True if that is what you want.'
        )


def _pretrained_file(model: nn.Module) -> str | None:
    """The file that a ``Pretrained`` init_cfg of the whole model names."""
    init_cfg = getattr(model, 'init_cfg', None)
    for cfg in init_cfg if isinstance(init_cfg, list) else [init_cfg or {}]:
        if cfg.get('type') == 'Pretrained':
            return cfg['checkpoint']
    return None


def load_file(model: nn.Module, checkpoint: str) -> None:
    """Load a file of weights into a model; see :func:`load_teacher` for what it raises.

    Of a distillation's checkpoint the student is taken. A timm model also takes what timm
    itself would convert to its names, such as DINOv2's and CLIP's original files.
    """
    weights = student_weights(checkpoint, key='teacher_ckpt')
    what = f'teacher_ckpt={checkpoint!r}'
    if isinstance(model, TimmClassifier):
        load_strict(model.model, _as_timm_reads_it(model.model, weights, what), what)
    else:
        load_strict(model, weights, what)


def _as_timm_reads_it(
    model: nn.Module, weights: dict[str, Tensor], what: str
) -> dict[str, Tensor]:
    """The weights after the filter that timm keeps beside a model for its releases."""
    module = inspect.getmodule(type(model))
    convert = getattr(module, 'checkpoint_filter_fn', None)
    try:
        return convert(weights, model) if convert else weights
    except Exception as error:  # whatever it meets in another model's weights
        raise ValueError(
            f'{what} does not fit the model, a {type(model).__name__}: timm cannot make sense '
            f'of it ({type(error).__name__}: {error}).'
        ) from None
