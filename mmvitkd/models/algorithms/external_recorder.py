"""Records that are given, not recorded: the teacher's tensors as the distiller reads them."""

from collections.abc import Mapping
from typing import Any

from mmrazor.models.task_modules import RecorderManager
from mmrazor.models.task_modules.recorder.base_recorder import BaseRecorder
from torch import nn


class ExternalRecorder(BaseRecorder):
    """A recorder that is handed its record."""

    def prepare_from_model(self, model: nn.Module | None = None) -> None:
        """Nothing to hook into."""

    def give(self, record: Any) -> None:
        """Take a record: what ``get_record_data`` will return."""
        self._data_buffer = [record]


class ExternalRecorders(RecorderManager):
    """Stands where the distiller expects its teacher recorders.

    Args:
        names: The names of the tensors that the teacher hands over.
    """

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.recorders.update({name: ExternalRecorder(name) for name in names})

    def give(self, tensors: Mapping[str, Any]) -> None:
        """Take the tensors of one batch."""
        for name, recorder in self.recorders.items():
            recorder.give(tensors[name])

    def reset(self) -> None:
        """Let go of the tensors."""
        for recorder in self.recorders.values():
            recorder.reset_data_buffer()
