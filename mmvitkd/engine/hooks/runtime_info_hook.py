"""Log a training without host-device synchronisation at every step."""

from typing import Any

from mmengine.hooks import RuntimeInfoHook as _RuntimeInfoHook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner
from torch import Tensor

from ...registry import HOOKS
from ..logging.async_history_buffer import AsyncHistoryBuffer, DeviceScalars


@HOOKS.register_module()
class RuntimeInfoHook(_RuntimeInfoHook):  # type: ignore[misc]  # MMEngine is untyped
    """MMEngine's ``RuntimeInfoHook``, which leaves values on the device until they are read.

    MMEngine's hook reads every logged value at every step, so that the device idles while
    Python prepares the next one. This one reads them together when the log, a checkpoint or
    other code reads the message hub, which holds the same values. Buffers of times and learning
    rates do not copy their whole history at every step either.
    """

    def __init__(self) -> None:
        self._scalars = DeviceScalars()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Log the learning rate, and replace MMEngine's buffers by asynchronous ones."""
        scalars = runner.message_hub.log_scalars
        for name, buffer in scalars.items():
            if type(buffer) is HistoryBuffer and name.startswith('train/'):
                scalars[name] = AsyncHistoryBuffer(buffer, self._scalars)
        super().before_train_iter(runner, batch_idx, data_batch)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Log the model's outputs; the first value of a name is read at once."""
        scalars = runner.message_hub.log_scalars
        buffers = {name: scalars.get(f'train/{name}') for name in outputs or {}}
        deferred = {
            name: value
            for name, value in (outputs or {}).items()
            if isinstance(value, Tensor)
            and value.numel() == 1
            and isinstance(buffers[name], AsyncHistoryBuffer)
        }
        for name, scalar in self._scalars.add(deferred).items():
            buffers[name].defer(scalar)
        rest = {name: value for name, value in (outputs or {}).items() if name not in deferred}
        super().after_train_iter(runner, batch_idx, data_batch, rest)
