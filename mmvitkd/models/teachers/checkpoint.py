"""Strict loading of a teacher's weights: every key must match, nothing is executed."""

from typing import Any

from mmengine.logging import print_log
from mmpretrain.models import TimmClassifier
from torch import nn

from ...engine.checkpoint import read_checkpoint, weights_of


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
        load_strict(model, checkpoint)
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


def load_strict(model: nn.Module, checkpoint: str) -> None:
    """Load a file of weights into a model; see :func:`load_teacher` for what it raises."""
    target = model.model if isinstance(model, TimmClassifier) else model
    weights = weights_of(read_checkpoint(checkpoint, 'teacher_ckpt'), checkpoint)
    try:
        target.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise ValueError(
            f'teacher_ckpt={checkpoint!r} does not fit the teacher.\n{error}'
        ) from None
