"""Run both models and every loss on one blank image when a distillation is built."""

import traceback
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging import print_log
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from ...utils.errors import KeyedError, KeyedValueError
from ..connectors import ProjectorConnector
from ..teachers import BaseTeacher, CachedTeacher
from ..utils.adapters import input_size_of
from ..utils.distiller_checks import PAIR
from ..utils.features import Features
from .teacher_reads import teacher_reads

# The image size to try if neither model states its own.
ANY_SIZE = (224, 224)
WIDTH = (
    '; its in_channels must be the width of what comes before it: the out_channels of a neck, '
    'or the width of the backbone'
)


def dry_run(algorithm: Any) -> None:
    """Compute every loss of a distillation once, so that misfits fail before training.

    In eval mode and without gradients: no random number is drawn and no statistic changes.
    Whether images are resized for the teacher, or its features for the student, is logged.

    Args:
        algorithm: A ``FeatureDistill`` with its student, teacher and distiller.

    Raises:
        ValueError: If something does not fit; the message names the teacher, the student or
            the loss mapping.
    """
    size = trial_size(algorithm)
    if size is None:
        size = ANY_SIZE
        print_log(
            'Neither student nor teacher states its input size: the losses are tried at '
            f'{size[0]} x {size[1]}.',
            logger='current',
        )
    blank = torch.zeros(1, 3, *size)
    _run_teacher(algorithm.teacher, blank)
    training = algorithm.training
    algorithm.eval()
    _run_student(algorithm.student, blank)
    distiller = algorithm.distiller
    records = algorithm.records(blank, [DataSample().set_gt_label(0)], dry_run=True)
    with torch.no_grad(), records:
        if isinstance(algorithm.teacher, CachedTeacher):
            algorithm.teacher.plan(teacher_reads(distiller), distiller.teacher_tensors)
        for name, mapping in distiller.loss_forward_mappings.items():
            try:
                arguments = {k: _record(distiller, r) for k, r in mapping.items()}
                _check_projectors(distiller, mapping, arguments)
                _check_width(distiller, mapping, arguments, distiller.distill_losses[name])
                _check_shapes(name, arguments)
                _check_loss(distiller.distill_losses[name], arguments)
            except Exception as error:
                raise ValueError(
                    f'{_loss_key(name)} does not work for one image of {size[0]} x {size[1]}: '
                    f'{error}'
                ) from error
    algorithm.train(training)


def trial_size(algorithm: Any) -> tuple[int, int] | None:
    """Return (H, W) of an image that both models take, or None if neither states it."""
    return input_size_of(algorithm.student) or algorithm.teacher.input_size


def _run_teacher(teacher: BaseTeacher, blank: Tensor) -> None:
    size = tuple(blank.shape[2:])
    wanted = teacher.input_size
    if wanted is not None and wanted != size:
        print_log(
            f"The teacher is made for {wanted[0]} x {wanted[1]}: the student's images of "
            f'{size[0]} x {size[1]} are resized for it.',
            logger='current',
        )
    try:
        found = teacher.dry_run(blank)
    except KeyedError:
        raise
    except Exception as error:
        kind = type(teacher)
        looks_up = kind.forward is not BaseTeacher.forward
        hint = '; a teacher that needs the data samples overrides dry_run'
        raise ValueError(
            f"teacher: it cannot take the student's input, {size[0]} x {size[1]} in "
            f'{blank.dtype}: {error}'
            f'{hint if looks_up and kind.dry_run is BaseTeacher.dry_run else ""}'
        ) from error
    if not isinstance(found, Mapping):
        raise KeyedValueError(
            f'{{teacher}}: {type(teacher).__name__}.dry_run returned a '
            f'{type(found).__name__}, wanted a dict of tensors by name.',
            'teacher',
        )


def _run_student(student: Any, blank: Tensor) -> None:
    size = tuple(blank.shape[2:])
    try:
        with torch.no_grad():
            student(blank, [DataSample().set_gt_label(0)], mode='loss')
    except Exception as error:
        where = failing_module(student, error)
        part = where.partition('.')[0]
        hint = WIDTH if part in ('neck', 'head') else ''
        raise ValueError(
            f'architecture{where and "."}{where}: it cannot compute its loss for one image of '
            f'{size[0]} x {size[1]}{hint} ({type(error).__name__}: {error})'
        ) from error


def failing_module(model: nn.Module, error: BaseException) -> str:
    """Return the name of the innermost module whose ``forward`` an error passed through."""
    names = {id(module): name for name, module in model.named_modules()}
    frames = traceback.walk_tb(error.__traceback__)
    owners = [id(frame.f_locals.get('self')) for frame, _ in frames]
    return next((names[owner] for owner in reversed(owners) if owner in names), '')


def _record(distiller: Any, record: Mapping[str, Any]) -> Any:
    """Return the value of a loss's argument; errors of its connector name the connector."""
    try:
        return distiller.get_record(**record)
    except Exception as error:
        if not record.get('connector'):
            raise
        raise ValueError(f'{_connector_key(distiller, record)}: {error}') from error


def _check_projectors(
    distiller: Any, mapping: Mapping[str, Mapping[str, Any]], arguments: dict[str, Any]
) -> None:
    """Check that projectors have the teacher's width: a loss would pool others silently."""
    for record in mapping.values():
        name = record.get('connector')
        if not name:
            continue
        connector = distiller.connectors[name]
        if not isinstance(connector, ProjectorConnector) or connector.out_channels is None:
            continue
        for other, value in arguments.items():
            width = _width(value)
            if width not in (None, connector.out_channels):
                raise ValueError(
                    f'{_connector_key(distiller, record)}.out_channels='
                    f'{connector.out_channels}, but {other} is {width} wide'
                )


def _check_width(
    distiller: Any, mapping: Mapping[str, Mapping[str, Any]], arguments: Any, loss: Any
) -> None:
    """Let a loss check how wide the student is in front of its projector, if it does."""
    if not hasattr(loss, 'check_width'):
        return
    for argument, record in mapping.items():
        name = record.get('connector')
        connector = distiller.connectors[name] if name else None
        width = _width(arguments[argument])
        if isinstance(connector, ProjectorConnector):
            width = connector.in_channels
        if record['from_student'] and width is not None:
            loss.check_width(width)


def _check_loss(loss: Any, arguments: dict[str, Any]) -> None:
    """Compute a loss; refuse what MMEngine could not sum up."""
    try:
        found = loss(**arguments)
    except Exception as error:
        hint = _hint(arguments)
        if not hint:
            raise
        raise ValueError(f'{type(error).__name__}: {error}. {hint}') from error
    for value in found if isinstance(found, list) else [found]:
        if not isinstance(value, Tensor):
            raise ValueError(
                f'{type(loss).__name__}.forward returned a {type(value).__name__}, wanted a '
                'tensor, or a list of tensors'
            )


def _hint(arguments: dict[str, Any]) -> str:
    """Return what a loss may have missed about its arguments, if anything."""
    advice = 'bring both to one shape with `align(preds_S, preds_T)` of mmvitkd.models.losses'
    if any(isinstance(value, Features) for value in arguments.values()):
        return (
            f'This loss is given Features, not tensors: {advice}, or use `.tokens` (B, N, C) '
            'or `.to_map()` (B, C, H, W).'
        )
    shapes = {tuple(value.shape) for value in arguments.values() if isinstance(value, Tensor)}
    if len(shapes) > 1:
        return f'Its arguments have the shapes {sorted(shapes)}: {advice}.'
    return ''


def _loss_key(name: str) -> str:
    """Return the key of a loss in a config."""
    pair, _, extra = name.removeprefix(f'loss_{PAIR}').partition('_')
    if not name.startswith(f'loss_{PAIR}'):
        return f"distiller.loss_forward_mappings['{name}']"
    return f'pairs[{pair}] with {f"pair_extra_losses.{extra}" if extra else "pair_loss"}'


def _connector_key(distiller: Any, record: Mapping[str, Any]) -> str:
    """Return the key of a record's connector in a config; of a pair, what it is made from."""
    name = record['connector']
    if not name.startswith(PAIR):
        return f"distiller.connectors['{name}']"
    if not isinstance(distiller.connectors[name], ProjectorConnector):
        return f"the {'student' if record['from_student'] else 'teacher'}'s feature"
    if record['from_student']:
        return 'pair_projector'
    return "pair_projector.out_channels, the teacher's width"


def _width(value: Any) -> int | None:
    """Return the number of channels of features, a map or logits."""
    if isinstance(value, Features):
        return int(value.tokens.shape[2])
    return int(value.shape[1]) if isinstance(value, Tensor) else None


def _check_shapes(loss: str, arguments: dict[str, Any]) -> None:
    """Check that logits have the same classes; log how features are aligned."""
    preds_S, preds_T = arguments.get('preds_S'), arguments.get('preds_T')
    if (
        isinstance(preds_S, Tensor)
        and isinstance(preds_T, Tensor)
        and preds_S.dim() == preds_T.dim() == 2
        and preds_S.shape != preds_T.shape
    ):
        raise ValueError(
            f'the student has {preds_S.shape[1]} classes, the teacher '
            f'{preds_T.shape[1]} outputs, and {loss} compares them class by class. The '
            'feature losses work with this teacher: leave the logits out with '
            'distiller=dict(_delete_=True), and restore the weight of the label loss with '
            'architecture.head.loss.loss_weight=1.0.'
        )
    grids = _grid(preds_S), _grid(preds_T)
    if None in grids:
        return
    for line in _alignment(grids, (_width(preds_S), _width(preds_T))):
        print_log(f'{loss}: {line}', logger='current')


def _grid(value: Any) -> tuple[int, ...] | None:
    """Return (H, W) of features or a map."""
    if isinstance(value, Features):
        return value.grid
    is_map = isinstance(value, Tensor) and value.dim() == 4
    return tuple(value.shape[2:]) if is_map else None


def _alignment(grids: tuple[Any, Any], widths: tuple[Any, Any]) -> list[str]:
    """Describe how features of two grids and widths are aligned."""
    lines = []
    if grids[0] != grids[1]:
        (h, w), (teacher_h, teacher_w) = grids
        lines.append(
            f"the teacher's grid of {teacher_h} x {teacher_w} is interpolated to the "
            f"student's, {h} x {w}."
        )
    if widths[0] != widths[1]:
        lines.append(
            f'the student is {widths[0]} wide and the teacher {widths[1]}: the wider map is '
            'average-pooled along its channels.'
        )
    return lines
