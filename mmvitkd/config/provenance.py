"""Describe how a student was trained: its teacher, its losses and its initial weights."""

import os.path as osp
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..utils.errors import KeyedValueError
from .student_config import student_config
from .type_checks import default_weight, registered_type


class Provenance(NamedTuple):
    """How a student was trained, in words.

    Attributes:
        teacher: The teacher's name, or None where there was none.
        weights: The name of the file of the teacher's weights, if one was given.
        losses: A line for each loss, with its weight.
        start: The name of the file of weights that the student started from, if any.
        pairs: What the losses of ``pairs`` compare, in order: ``loss_pair_0``, ...
    """

    teacher: str | None
    weights: str | None
    losses: list[str]
    start: str | None = None
    pairs: tuple[str, ...] = ()


def provenance_of(model: Mapping[str, Any]) -> Provenance:
    """Describe a student's training by the ``model`` of its config.

    Args:
        model: A ``FeatureDistill``, or a plain model. The losses of one that is no classifier
            are not known.
    """
    student = student_config(dict(model))
    label = (student.get('head') or student).get('loss') or {'type': 'CrossEntropyLoss'}
    is_classifier = 'head' in student or str(student.get('type')).endswith('Classifier')
    losses = [f'labels: {_loss(label, "mmpretrain")}'] if is_classifier else []
    teacher = model.get('teacher')
    if teacher is None:
        return Provenance(None, None, losses)
    distiller = model.get('distiller') or {}
    scope = distiller.get('_scope_', 'mmrazor')
    for name, loss in (distiller.get('distill_losses') or {}).items():
        records = (distiller.get('loss_forward_mappings') or {}).get(name) or {}
        losses.append(f'{_records(records, distiller) or name}: {_loss(loss, scope)}')
    pairs = tuple(
        f'student {_layer(of_student)} and teacher {_layer(of_teacher)}'
        for of_student, of_teacher in model.get('pairs') or ()
    )
    extra = (model.get('pair_extra_losses') or {}).values()
    for layers in pairs:
        for loss in (model['pair_loss'], *extra):
            # The pairs share the weight.
            shared = {**loss, 'loss_weight': _weight(loss, scope) / len(pairs)}
            losses.append(f'{layers}: {_loss(shared, scope)}')
    weights, start = (
        osp.basename(model.get(key) or '') or None for key in ('teacher_ckpt', 'student_ckpt')
    )
    return Provenance(model_name(teacher), weights, losses, start, pairs)


def model_name(model: str | Mapping[str, Any]) -> str:
    """Return a model's name in timm, its config file, or its type and architecture.

    Args:
        model: The config of a student or a teacher.
    """
    if isinstance(model, str):
        return osp.basename(model) if model.endswith('.py') else without_folder(model)
    if 'model_name' in model:
        return f'{without_folder(model["model_name"])} (timm)'
    kind, backbone = str(model.get('type')), model.get('backbone')
    if not backbone:
        return kind
    arch = backbone.get('arch')
    if isinstance(arch, Mapping):
        arch = ', '.join(f'{k} {v}' for k, v in arch.items())
    return f'{kind.split(".")[-1]} on {backbone["type"]}' + (f' ({arch})' if arch else '')


def without_folder(text: str) -> str:
    """Shorten an absolute path, also after a scheme as in ``local-dir:``, to its last name."""
    scheme, colon, path = text.rpartition(':')
    is_absolute = path.startswith(('/', '~'))
    return f'{scheme}{colon}{osp.basename(path.rstrip("/"))}' if is_absolute else text


def _records(mapping: Mapping[str, Any], distiller: Mapping[str, Any]) -> str:
    """Return what a loss compares: the sources of its recorders."""
    sources = []
    for record in mapping.values():
        side = 'student' if record.get('from_student') else 'teacher'
        recorder = (distiller.get(f'{side}_recorders') or {}).get(record.get('recorder')) or {}
        # An empty source stands for the whole model.
        sources.append(f'{side} {recorder.get("source") or "output"}')
    return ' and '.join(sources)


def _layer(layer: int | str) -> str:
    return f'block {layer}' if isinstance(layer, int) else layer


def _weight(loss: Mapping[str, Any], scope: str) -> Any:
    """Return the weight of a loss: its own, or the default of its class if that is known."""
    if 'loss_weight' in loss:
        return loss['loss_weight']
    try:
        return default_weight(registered_type(loss, 'loss', scope))
    except KeyedValueError:  # of a module that is not imported here
        return 1.0


def _loss(loss: Mapping[str, Any], scope: str) -> str:
    """Format a loss with its arguments, the weight last."""
    kind = str(loss['type']).split('.')[-1]
    arguments = [
        f'{k} {without_folder(str(v))}'
        for k, v in loss.items()
        if k not in ('type', 'loss_weight')
    ]
    weight = f'weight {_weight(loss, scope)}'
    return f'{kind} ({", ".join([*arguments, weight])})'
