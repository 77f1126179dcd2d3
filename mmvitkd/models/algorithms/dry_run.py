"""A rehearsal at build: one blank image through both models and every loss."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging import print_log
from mmpretrain.structures import DataSample
from torch import Tensor

from ..connectors import ProjectorConnector
from ..utils.distiller_checks import PAIR
from ..utils.input_size import input_size_of

# For models that take any size and state none.
ANY_SIZE = (224, 224)


def dry_run(algorithm: Any) -> None:
    """Compute every loss of a distillation once, so that a misfit fails before training.

    In eval mode, without gradient: no random number is drawn, no statistic changed. What is
    resized for the teacher, and what of it for the student, goes into the log.

    Args:
        algorithm: A ``FeatureDistill`` with its student, teacher and distiller.

    Raises:
        ValueError: Names the teacher or the loss mapping, and says what does not fit.
    """
    size = input_size_of(algorithm.student) or getattr(algorithm.teacher, 'input_size', None)
    if size is None:
        size = ANY_SIZE
        print_log(
            'Neither student nor teacher says its input size: whether the losses fit both is '
            f'tried at {size[0]} x {size[1]}.',
            logger='current',
        )
    blank = torch.zeros(1, 3, *size)
    _run_teacher(algorithm.teacher, blank)
    training = algorithm.training
    algorithm.eval()
    _run_student(algorithm.student, blank)
    distiller = algorithm.distiller
    with torch.no_grad(), algorithm.records(blank, [DataSample().set_gt_label(0)]):
        for name, mapping in distiller.loss_forward_mappings.items():
            key = f"distiller.loss_forward_mappings['{name}']"
            try:
                arguments = {k: _record(distiller, r) for k, r in mapping.items()}
                _check_projectors(distiller, mapping, arguments)
                _compare(name, arguments)
                distiller.distill_losses[name](**arguments)
            except Exception as error:
                raise ValueError(
                    f'{key} does not work for one image of {size[0]} x {size[1]}: {error}'
                ) from error
    algorithm.train(training)


def _run_teacher(teacher: Any, blank: Tensor) -> None:
    size = tuple(blank.shape[2:])
    wanted = getattr(teacher, 'input_size', None)
    if wanted not in (None, size):
        print_log(
            f"The teacher is made for {wanted[0]} x {wanted[1]}: the student's images of "
            f'{size[0]} x {size[1]} are resized for it.',
            logger='current',
        )
    try:
        teacher(blank)
    except Exception as error:
        raise ValueError(
            f"teacher: it cannot take the student's input, {size[0]} x {size[1]} in "
            f'{blank.dtype}: {error}'
        ) from error


def _run_student(student: Any, blank: Tensor) -> None:
    size = tuple(blank.shape[2:])
    try:
        with torch.no_grad():
            student(blank, [DataSample().set_gt_label(0)], mode='loss')
    except Exception as error:
        raise ValueError(
            f'architecture: it cannot compute its loss for one image of {size[0]} x {size[1]}; '
            'in_channels of neck and head must be the width of what is before them '
            f'({type(error).__name__}: {error})'
        ) from error


def _record(distiller: Any, record: Mapping[str, Any]) -> Any:
    """What a loss is given for an argument; an error of its connector names the connector."""
    try:
        return distiller.get_record(**record)
    except Exception as error:
        if not record.get('connector'):
            raise
        raise ValueError(
            f'{_connector_key(distiller, record["connector"])}: {error}'
        ) from error


def _check_projectors(
    distiller: Any, mapping: Mapping[str, Mapping[str, Any]], arguments: dict[str, Any]
) -> None:
    """Refuse a projector to another width than the teacher's: the loss would pool it away."""
    for record in mapping.values():
        name = record.get('connector')
        if not name:
            continue
        connector = distiller.connectors[name]
        if not isinstance(connector, ProjectorConnector) or connector.out_channels is None:
            continue
        for other, found in arguments.items():
            if isinstance(found, Tensor) and found.shape[1] != connector.out_channels:
                raise ValueError(
                    f'{_connector_key(distiller, name)}.out_channels={connector.out_channels}, '
                    f'but {other} is {found.shape[1]} wide'
                )


def _connector_key(distiller: Any, name: str) -> str:
    """Where a config says what a connector is."""
    if not name.startswith(PAIR) or not isinstance(
        distiller.connectors[name], ProjectorConnector
    ):
        return f"distiller.connectors['{name}']"
    if name.endswith('_T'):
        return "pair_projector.out_channels, the teacher's width"
    return 'pair_projector'


def _compare(loss: str, arguments: dict[str, Any]) -> None:
    """Refuse logits over different classes; say which of the teacher's maps are resized."""
    preds_S, preds_T = arguments.get('preds_S'), arguments.get('preds_T')
    if not isinstance(preds_S, Tensor) or not isinstance(preds_T, Tensor):
        return
    if preds_S.dim() == preds_T.dim() == 2 and preds_S.shape != preds_T.shape:
        raise ValueError(
            f'the student has {preds_S.shape[1]} classes, the teacher '
            f'{preds_T.shape[1]} outputs, and {loss} compares them class by class. The '
            'feature losses work with this teacher: leave the logits out with '
            'distiller=dict(_delete_=True), and give the label loss its weight back with '
            'architecture.head.loss.loss_weight=1.0.'
        )
    if preds_S.dim() == preds_T.dim() == 4:
        for line in _bridges(preds_S.shape, preds_T.shape):
            print_log(f'{loss}: {line}', logger='current')


def _bridges(shape_s: torch.Size, shape_t: torch.Size) -> list[str]:
    """What is done about maps of two shapes (B, C, H, W)."""
    lines = []
    if shape_s[2:] != shape_t[2:]:
        (h, w), (teacher_h, teacher_w) = shape_s[2:], shape_t[2:]
        lines.append(
            f"the teacher's grid of {teacher_h} x {teacher_w} is interpolated to the "
            f"student's, {h} x {w}."
        )
    if shape_s[1] != shape_t[1]:
        lines.append(
            f'the student is {shape_s[1]} wide and the teacher {shape_t[1]}: the wider map is '
            'average-pooled along its channels.'
        )
    return lines
