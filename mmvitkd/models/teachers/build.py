"""Build a teacher from a config."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from mmengine.registry import MODELS
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import nn

from ...checkpoint.hub_access import hub_access
from ...config.type_checks import check_config
from ...utils import random_state
from ...utils.errors import KeyedValueError
from ..utils.whole_patches import check_patches
from .base_teacher import BaseTeacher, check_teacher
from .checkpoint import load_file, load_teacher
from .config import teacher_config
from .teacher import Teacher

OWN_STREAM = 0x7EAC  # tells a teacher's random numbers from those of samples
Given: TypeAlias = str | Mapping[str, Any] | nn.Module | BaseTeacher


def make_teacher(
    teacher: Given,
    checkpoint: str | None = None,
    allow_random: bool = False,
    options: Mapping[str, Any] | None = None,
) -> BaseTeacher:
    """Build a teacher; a model becomes a live :class:`~mmvitkd.models.teachers.Teacher`.

    Args:
        teacher: See :func:`~mmvitkd.models.teachers.config.teacher_config`, or a built model or
            teacher. A registered type that is a ``BaseTeacher`` is used as it is.
        checkpoint: A local file with the weights of a model.
        allow_random: Whether a model that nothing was loaded into is accepted.
        options: How a live teacher computes; see :func:`.options.check_options`.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If it cannot be built, does not keep to the contract, does not fit the
            checkpoint, if nothing was loaded, or if it takes no options or checkpoint.
    """
    built = _built(teacher, checkpoint, allow_random)
    if isinstance(built, nn.Module) and not isinstance(built, BaseTeacher):
        return Teacher(built, **(options or {}))
    made = check_teacher(built)
    kind = type(made).__name__
    if options:
        raise KeyedValueError(
            f'{{teacher_options}}={dict(options)!r}: they are for a model, but {kind} is a '
            'BaseTeacher; leave them out, with fast=True by teacher_options=None.',
            'teacher_options',
        )
    if checkpoint:
        raise KeyedValueError(
            f'{{teacher_ckpt}}={checkpoint!r} is for a model, but {kind} is a BaseTeacher; '
            'leave it out.',
            'teacher_ckpt',
        )
    return made


def build_teacher(
    teacher: str | Mapping[str, Any] | nn.Module,
    checkpoint: str | None = None,
    allow_random: bool = False,
) -> nn.Module:
    """Build the model of a live teacher and load its weights, strictly.

    Args:
        teacher: See :func:`make_teacher`. A built model is taken as it is: whether it is
            loaded is up to the caller.
        checkpoint: See :func:`make_teacher`.
        allow_random: See :func:`make_teacher`.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If it cannot be built, is not a model, does not fit the checkpoint, or if
            nothing was loaded.
    """
    built = _built(teacher, checkpoint, allow_random)
    if not isinstance(built, nn.Module):
        raise KeyedValueError(
            f'{{teacher}}: a {type(built).__name__} is not a model (nn.Module).', 'teacher'
        )
    return built


def _built(teacher: Given, checkpoint: str | None, allow_random: bool) -> Any:
    """Build a teacher of any type; load weights into a model."""
    if not isinstance(teacher, str | Mapping):
        if isinstance(teacher, nn.Module) and checkpoint:
            load_file(teacher, checkpoint)
        return teacher
    config = teacher_config(teacher, allow_random)
    if checkpoint and config.get('pretrained'):
        config['pretrained'] = False  # timm would download it first
    check_config(config, 'teacher')
    # Not from the student's random numbers: it starts alike with any teacher, and without.
    with random_state.seeded(torch.initial_seed() % 2**32, OWN_STREAM):
        if not config.get('pretrained'):
            built = MODELS.build(config)
        else:
            stated = isinstance(teacher, Mapping) and 'pretrained' in teacher
            built = _with_download(config, stated)
    if isinstance(built, BaseBackbone):
        raise KeyedValueError(
            f'{{teacher}}: a {type(built).__name__} is a backbone alone; wanted '
            "dict(type='mmpretrain.ImageClassifier', backbone=dict(...), data_preprocessor="
            'dict(mean=, std=, to_rgb=)), without a head if it has none.',
            'teacher',
        )
    if isinstance(built, nn.Module) and not isinstance(built, BaseTeacher):
        check_patches(built, config, 'teacher')
        load_teacher(built, config, checkpoint, allow_random)
    return built


def _with_download(config: dict[str, Any], stated: bool) -> Any:
    """Build a model whose weights timm downloads, or has in its cache."""
    with hub_access() as unreachable:
        try:
            return MODELS.build(config)
        except Exception as error:
            first = next(iter(str(error).splitlines()), '')
            reason = unreachable or f'{type(error).__name__}: {first}'
            raise _no_download(config, stated, reason) from error


def _no_download(config: dict[str, Any], stated: bool, reason: str) -> KeyedValueError:
    """Return the error for weights that timm cannot download, with what to give instead."""
    off = ' and {teacher.pretrained}=False' if stated else ''
    return KeyedValueError(
        f'{{teacher}}: {config.get("model_name", config["type"])} with pretrained='
        f'{config["pretrained"]!r} cannot be built. Without a connection give '
        f'{{teacher_ckpt}}="FILE", or {{allow_random_teacher}}=True{off} for a trial. '
        f'({reason})',
        'teacher',
        'teacher_ckpt',
        'allow_random_teacher',
        'teacher.pretrained',
    )
