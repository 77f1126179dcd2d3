"""Check a distiller's config before the first forward pass: what it names must exist."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mmrazor.models.task_modules import RecorderManager
from mmrazor.models.task_modules.recorder import (
    ModuleOutputsRecorder,
    ParameterRecorder,
)
from torch import nn

from ...config.type_checks import check_call, check_config, type_name
from ...suggestions import close_names, did_you_mean

# The recorders that `pairs` expands to are called this and the pair's number.
PAIR = 'pair_'
# Where MMRazor looks for the types of a distiller.
SCOPE = 'mmrazor'


def check_sources(recorders: RecorderManager, model: nn.Module, key: str, role: str) -> None:
    """Check that every module or parameter that is recorded is part of the model.

    Args:
        recorders: MMRazor's recorders, not yet initialised.
        model: The model they are for.
        key: The config key of the recorders, for the message.
        role: 'student' or 'teacher', for the message.

    Raises:
        ValueError: If one is not; the message has the recorder, its source and close names.
    """
    for name, recorder in recorders.recorders.items():
        if isinstance(recorder, ModuleOutputsRecorder):
            known = [n for n, _ in model.named_modules()]
        elif isinstance(recorder, ParameterRecorder):
            known = [n for n, _ in model.named_parameters()]
        else:
            continue  # functions and methods are found by import, MMRazor checks them
        if recorder.source not in known:
            close = close_names(recorder.source, known)
            pair = name.removeprefix(PAIR)
            given = f'pairs[{pair}]' if pair != name else f"distiller.{key}['{name}'].source"
            raise ValueError(
                f'{given}: {recorder.source!r} is not in the '
                f'{role} ({type(model).__name__}). Similar names: {", ".join(close) or "none"}.'
            )


PARTS = (
    *('student_recorders', 'teacher_recorders', 'distill_deliveries', 'connectors'),
    *('distill_losses', 'loss_forward_mappings'),
)


# Keys of a record in a mapping, as MMRazor reads them.
RECORD = ('from_student', 'recorder', 'data_idx', 'record_idx', 'connector', 'connector_idx')


def check_is_dict(distiller: Any) -> None:
    """Check that the config of a distiller, and each of its parts, is a dict or None.

    Raises:
        ValueError: If one is not; the message has its key and what was found.
    """
    parts = {'distiller': distiller}
    if isinstance(distiller, Mapping):
        parts |= {f'distiller.{name}': distiller.get(name) for name in PARTS}
    for key, found in parts.items():
        if found is not None and not isinstance(found, Mapping):
            raise ValueError(f'{key}={found!r}: wanted a dict.')
    for part in ('student_recorders', 'teacher_recorders'):
        for name, recorder in (distiller.get(part) or {}).items() if distiller else ():
            key = f"distiller.{part}['{name}']"
            _check_record(recorder, key)
            if not isinstance(recorder.get('type'), str):
                raise ValueError(f'{key}.type={recorder.get("type")!r}: wanted a name.')


def check_mappings(distiller: Mapping[str, Any]) -> None:
    """Check that every loss mapping names a loss, recorders and connectors that exist.

    Every loss must have a mapping.

    Args:
        distiller: The config of a ``ConfigurableDistiller``.

    Raises:
        ValueError: If one does not exist; the message has the key, what was found and what is
            known.
    """
    losses = distiller.get('distill_losses') or {}
    connectors = distiller.get('connectors') or {}
    for loss, mapping in (distiller.get('loss_forward_mappings') or {}).items():
        key = f"distiller.loss_forward_mappings['{loss}']"
        _check_name(loss, losses, key, 'distill_losses')
        _check_record(mapping, key)
        for argument, record in mapping.items():
            where = f"{key}['{argument}']"
            _check_record(record, where, RECORD)
            if not isinstance(record.get('from_student'), bool):
                raise ValueError(f'{where}: wanted from_student=True or False in {record}.')
            side = 'student' if record['from_student'] else 'teacher'
            recorders = distiller.get(f'{side}_recorders') or {}
            _check_name(
                record.get('recorder'), recorders, f'{where}.recorder', f'{side}_recorders'
            )
            if record.get('connector'):
                _check_name(record['connector'], connectors, f'{where}.connector', 'connectors')
    for loss in losses:
        _check_name(
            loss,
            distiller.get('loss_forward_mappings') or {},
            f"distiller.distill_losses['{loss}']",
            'loss_forward_mappings',
        )


def _check_record(node: Any, key: str, known: Sequence[str] | None = None) -> None:
    """Check that a mapping is a dict, with known keys."""
    if not isinstance(node, Mapping):
        raise ValueError(f'{key}={node!r}: wanted a dict.')
    for name in node:
        if known is not None and name not in known:
            raise ValueError(
                f'{key}.{name}: nothing reads this key; wanted some of {", ".join(known)}'
                f'{did_you_mean(name, known)}'
            )


def check_losses(distiller: Mapping[str, Any]) -> None:
    """Check the losses' types and arguments, and that ``forward`` takes what is mapped.

    Args:
        distiller: The config of a ``ConfigurableDistiller``.

    Raises:
        KeyedValueError: Names the key, what was found and what there is.
    """
    scope = distiller.get('_scope_', SCOPE)
    mappings = distiller.get('loss_forward_mappings') or {}
    for name, loss in (distiller.get('distill_losses') or {}).items():
        of_pair = name.startswith(f'loss_{PAIR}')
        extra = name.removeprefix(f'loss_{PAIR}').partition('_')[2]
        of_pairs = f'pair_extra_losses.{extra}' if extra else 'pair_loss'
        key = of_pairs if of_pair else f"distiller.distill_losses['{name}']"
        kind = check_config(loss, key, scope)
        if name in mappings and hasattr(kind, 'forward'):
            key = key if of_pair else f"distiller.loss_forward_mappings['{name}']"
            forward = partial(kind.forward, None)  # without self
            check_call(forward, mappings[name], key, f'{type_name(kind)}.forward')


def check_connectors(distiller: Mapping[str, Any]) -> None:
    """Check the connectors' types and arguments, and that a loss uses each of them.

    Args:
        distiller: The config of a ``ConfigurableDistiller``.

    Raises:
        ValueError: Names the connector; an unused one would get no gradient.
    """
    scope = distiller.get('_scope_', SCOPE)
    connectors = distiller.get('connectors') or {}
    for name, given in connectors.items():
        for connector in given if isinstance(given, list) else [given]:
            check_config(connector, f"distiller.connectors['{name}']", scope)
    mappings = (distiller.get('loss_forward_mappings') or {}).values()
    used = {record.get('connector') for mapping in mappings for record in mapping.values()}
    for connector in connectors:
        if connector not in used:
            raise ValueError(
                f"distiller.connectors['{connector}']: no mapping in "
                'distiller.loss_forward_mappings uses it, so nothing would train it.'
            )


def check_extra_tokens(student: nn.Module) -> None:
    """Check that a neck drops as many extra tokens as the backbone has.

    Raises:
        ValueError: If it does not: it would drop patches, or take extra tokens for patches.
    """
    if getattr(getattr(student, 'backbone', None), 'out_type', 'featmap') == 'featmap':
        return  # a map has no extra tokens, and the neck drops none
    numbers = [
        getattr(getattr(student, part, None), 'num_extra_tokens', None)
        for part in ('backbone', 'neck')
    ]
    if None not in numbers and numbers[0] != numbers[1]:
        raise ValueError(
            f'architecture.neck.num_extra_tokens={numbers[1]}, but the backbone '
            f'({type(student.backbone).__name__}) has {numbers[0]}.'
        )


def _check_name(name: Any, known: Mapping[str, Any], key: str, wanted: str) -> None:
    if not isinstance(name, str) or name not in known:
        raise ValueError(
            f'{key}: {name!r} is not in distiller.{wanted}, which has '
            f'{", ".join(map(repr, known)) or "nothing"}.'
        )
