"""Adapt MMRazor's distiller to a teacher that is not part of the model."""

from collections.abc import Mapping
from typing import Any

from mmrazor.models.distillers import ConfigurableDistiller

from ...registry import MODELS


@MODELS.register_module()
class FeatureDistiller(ConfigurableDistiller):  # type: ignore[misc]  # MMRazor is untyped
    """``ConfigurableDistiller`` for a teacher that is not part of the model.

    The losses read the student's features from its recorders, as in MMRazor, and the teacher's
    from ``teacher_tensors``.

    Attributes:
        teacher_tensors: The teacher's tensors for the current batch, by the names of
            ``teacher_recorders``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.teacher_tensors: Mapping[str, Any] = {}

    def get_record(
        self,
        recorder: str,
        from_student: bool,
        record_idx: int = 0,
        data_idx: int | None = None,
        connector: str | None = None,
        connector_idx: int | None = None,
    ) -> Any:
        """Return the value of a loss's argument; see MMRazor's method.

        Raises:
            ValueError: If a later call than the teacher's first is asked for.
        """
        if from_student:
            return super().get_record(
                recorder, True, record_idx, data_idx, connector, connector_idx
            )
        if record_idx != 0:
            raise ValueError(f'record_idx={record_idx}: a teacher returns the first call only')
        record = self.teacher_tensors[recorder]
        if data_idx is not None:
            record = record[data_idx]
        if connector:
            record = self.connectors[connector](record)
        return record if connector_idx is None else record[connector_idx]


def build_distiller(config: Mapping[str, Any]) -> FeatureDistiller:
    """Build a distiller, with :class:`FeatureDistiller` for ``ConfigurableDistiller``.

    Raises:
        ValueError: If it is of another type, or MMRazor refuses the config, for example an
            argument that a loss does not take.
    """
    given = str(config.get('type', 'ConfigurableDistiller'))
    name = given.rpartition('.')[2]
    kind = 'mmvitkd.FeatureDistiller' if name == 'ConfigurableDistiller' else given
    try:
        distiller = MODELS.build({'_scope_': 'mmrazor', **config, 'type': kind})
    except (AssertionError, TypeError) as error:
        raise ValueError(f'distiller: {" ".join(str(error).split())}') from error
    if not isinstance(distiller, FeatureDistiller):
        raise ValueError(
            f'distiller.type={given!r}: wanted ConfigurableDistiller, or a subclass of '
            'mmvitkd.FeatureDistiller.'
        )
    return distiller
