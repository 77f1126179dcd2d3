"""Find the layers that a distillation compares, from its loss mappings."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmrazor.models.task_modules.recorder import ModuleOutputsRecorder


class LayerPair(NamedTuple):
    """A layer of the student and the teacher's tensor that it is compared with.

    Attributes:
        name: The name of the loss, without 'loss_'.
        student: The name of a module of the student.
        teacher: The name of a tensor of the teacher.
    """

    name: str
    student: str
    teacher: str


def layer_pairs(distiller: Any) -> list[LayerPair]:
    """Return the pairs of a distiller, in the order of its losses.

    A loss counts if it compares what one module of the student returned with one tensor of
    the teacher, with or without connectors; of losses that compare the same two, the first.
    Embeddings do not count: they are no layers of tokens.

    Args:
        distiller: MMRazor's ``ConfigurableDistiller``, built.
    """
    pairs: dict[tuple[str, str], LayerPair] = {}
    for loss, mapping in distiller.loss_forward_mappings.items():
        students = [record for record in mapping.values() if record['from_student']]
        teachers = [record for record in mapping.values() if not record['from_student']]
        if len(students) != 1 or len(teachers) != 1:
            continue
        recorder = distiller.student_recorders.recorders[students[0]['recorder']]
        if _is_embedding(distiller, students[0]):
            continue
        if isinstance(recorder, ModuleOutputsRecorder) and _is_first(students + teachers):
            name = loss.removeprefix('loss_')
            pair = LayerPair(name, recorder.source, teachers[0]['recorder'])
            pairs.setdefault(pair[1:], pair)
    return list(pairs.values())


def embedding_pairs(distiller: Any) -> list[str]:
    """Return the names of the losses, without 'loss_', that compare embeddings."""
    return [
        loss.removeprefix('loss_')
        for loss, mapping in distiller.loss_forward_mappings.items()
        if any(_is_embedding(distiller, record) for record in mapping.values())
    ]


def _is_embedding(distiller: Any, record: Mapping[str, Any]) -> bool:
    name = record.get('connector')
    connector = distiller.connectors[name] if name else None
    connector = getattr(connector, 'to_map', connector)
    return getattr(connector, 'pool', None) is not None


def _is_first(records: list[Mapping[str, Any]]) -> bool:
    """Return whether all are the first tensor of a module's first call."""
    return not any(record.get('record_idx') or record.get('data_idx') for record in records)
