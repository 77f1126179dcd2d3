"""Find which argument of each loss is the student's and which the teacher's."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn

from ..losses.error_sums import compared_features


class LossInputs(NamedTuple):
    """A loss that compares one output of the student with one of the teacher.

    Attributes:
        name: The name of the loss, without 'loss_'.
        loss: The loss.
        student: The name of the student's argument.
        teacher: The name of the teacher's argument.
        records: The records of MMRazor's mapping by argument.
    """

    name: str
    loss: nn.Module
    student: str
    teacher: str
    records: dict[str, dict[str, Any]]

    def compared(self, arguments: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Return both sides (B, N, C) as the loss compares them, of its arguments.

        Raises:
            ValueError: If they are no features of one shape.
        """
        return compared_features(self.loss, arguments[self.student], arguments[self.teacher])

    def recorded(self, distiller: Any) -> dict[str, Any]:
        """Return the arguments, of what a distiller has recorded."""
        return {key: distiller.get_record(**record) for key, record in self.records.items()}


def loss_inputs(distiller: Any) -> Iterator[LossInputs]:
    """Yield the losses that compare one output of the student with one of the teacher.

    Args:
        distiller: MMRazor's ``ConfigurableDistiller``, built.
    """
    for name, mapping in distiller.loss_forward_mappings.items():
        students = [key for key, record in mapping.items() if record['from_student']]
        teachers = [key for key, record in mapping.items() if not record['from_student']]
        if len(students) == len(teachers) == 1:
            loss = distiller.distill_losses[name]
            short = name.removeprefix('loss_')
            yield LossInputs(short, loss, students[0], teachers[0], dict(mapping))
