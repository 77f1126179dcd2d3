"""Find what the losses of a distillation read of each of the teacher's outputs."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmrazor.models.task_modules.recorder import ParameterRecorder
from torch import Tensor, nn

from ...utils.errors import KeyedValueError
from ..connectors import PatchTokens, ProjectorConnector, TargetTokens, TokensToMap
from ..teachers.stored_tensor import TeacherRead
from ..utils.features import Features, Grid

# Connectors that read patch tokens alone; a subclass may read more.
PATCH_TOKENS = (PatchTokens, TargetTokens, TokensToMap)


class _Use(NamedTuple):
    """A loss that reads an output of the teacher, and what it compares it with."""

    loss: nn.Module
    record: Mapping[str, Any]
    others: Sequence[Mapping[str, Any]]


def teacher_reads(distiller: Any) -> dict[str, TeacherRead]:
    """Return what the losses read, by the names of the teacher's outputs.

    Args:
        distiller: A ``FeatureDistiller`` that has both models' tensors of a batch.

    Raises:
        ValueError: If there are deliveries, whose functions need the teacher itself.
    """
    if distiller.deliveries.deliveries:
        name = next(iter(distiller.deliveries.deliveries))
        raise KeyedValueError(
            f"{{teacher_cache}}: distiller.distill_deliveries['{name}'] passes what a function "
            'of the teacher returns to the student, which cannot be stored; wanted no '
            'deliveries.',
            'teacher_cache',
        )
    uses: dict[str, list[_Use]] = {name: [] for name in distiller.teacher_recorders.recorders}
    for loss, mapping in distiller.loss_forward_mappings.items():
        records = list(mapping.values())
        for record in records:
            if not record['from_student']:
                others = [other for other in records if other['from_student']]
                uses[record['recorder']].append(
                    _Use(distiller.distill_losses[loss], record, others)
                )
    return {
        name: _read(distiller, _source(distiller, name), found)
        for name, found in uses.items()
        if found
    }


def _source(distiller: Any, name: str) -> str:
    recorder = distiller.teacher_recorders.recorders[name]
    if isinstance(recorder, ParameterRecorder):
        raise KeyedValueError(
            f"{{teacher_cache}}: distiller.teacher_recorders['{name}'] records a parameter; "
            'wanted outputs, which are stored for each image.',
            'teacher_cache',
        )
    source: str = recorder.source
    return source


def _read(distiller: Any, source: str, uses: Sequence[_Use]) -> TeacherRead:
    layouts = {_layout(distiller, use.record) for use in uses}
    if len(layouts) != 1 or None in layouts:
        return TeacherRead(source)
    grid, num_extra_tokens, pool = layouts.pop() or (None, None, None)
    targets = {_target(distiller, use) for use in uses}
    target = targets.pop() if len(targets) == 1 else None
    return TeacherRead(source, True, grid, num_extra_tokens, target, pool)


def _connector(distiller: Any, record: Mapping[str, Any]) -> nn.Module | None:
    name = record.get('connector')
    return distiller.connectors[name] if name else None


def _layout(
    distiller: Any, record: Mapping[str, Any]
) -> tuple[Grid | None, int | None, str | None] | None:
    """Return how a connector reads patch tokens; None if it reads something else."""
    connector = _connector(distiller, record)
    if type(connector) is ProjectorConnector:
        connector = connector.to_map
    if type(connector) not in PATCH_TOKENS or record.get('data_idx') is not None:
        return None
    assert isinstance(connector, PatchTokens)
    return connector.grid, connector.num_extra_tokens, connector.pool


def _target(distiller: Any, use: _Use) -> tuple[Grid, int] | None:
    """Return the student's grid and width if the loss first brings the teacher's to them."""
    connector = _connector(distiller, use.record)
    if isinstance(connector, TargetTokens):  # its statistics are those of all channels
        return None
    if not _aligns(use.loss) or not isinstance(connector, PatchTokens) or len(use.others) != 1:
        return None
    student = distiller.get_record(**use.others[0])
    if isinstance(student, Features):
        return student.grid, student.tokens.shape[2]
    if isinstance(student, Tensor) and student.dim() == 4:
        return (student.shape[2], student.shape[3]), student.shape[1]
    return None


def _aligns(loss: nn.Module) -> bool:
    """Return whether the class that defines a loss's ``forward`` says that it aligns."""
    owner = next(kind for kind in type(loss).__mro__ if 'forward' in vars(kind))
    return bool(vars(owner).get('aligns_features', False))
