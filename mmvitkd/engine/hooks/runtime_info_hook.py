"""The log of training without waiting for the device at every step."""

from typing import Any

from mmengine.hooks import RuntimeInfoHook as _RuntimeInfoHook
from mmengine.logging import HistoryBuffer
from torch import Tensor

from ...registry import HOOKS
from ..logging.async_history_buffer import AsyncHistoryBuffer, Transfer


@HOOKS.register_module()
class RuntimeInfoHook(_RuntimeInfoHook):
    """MMEngine's ``RuntimeInfoHook``, which leaves the values on the device until read.

    MMEngine's reads every logged value at every step: the device runs dry while Python
    prepares the next one. Here they are read together, when the log, a checkpoint or anyone
    else looks into the message hub, which holds the same as ever. The buffers of times and
    learning rates stop copying their whole history at every step, too.
    """

    def __init__(self) -> None:
        self._transfer = Transfer()

    def before_train_iter(self, runner, batch_idx: int, data_batch: Any = None) -> None:
        """Log the rate, and let the buffers that there are wait for their values."""
        scalars = runner.message_hub.log_scalars
        for name, buffer in scalars.items():
            if type(buffer) is HistoryBuffer and name.startswith('train/'):
                scalars[name] = AsyncHistoryBuffer(buffer, self._transfer)
        super().before_train_iter(runner, batch_idx, data_batch)

    def after_train_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Log what the model gave; a name's first value is read at once."""
        scalars = runner.message_hub.log_scalars
        buffers = {name: scalars.get(f'train/{name}') for name in outputs or {}}
        late = {
            name: value
            for name, value in (outputs or {}).items()
            if isinstance(value, Tensor)
            and value.numel() == 1
            and isinstance(buffers[name], AsyncHistoryBuffer)
        }
        for name, cell in self._transfer.add(late).items():
            buffers[name].defer(cell)
        now = {name: value for name, value in (outputs or {}).items() if name not in late}
        super().after_train_iter(runner, batch_idx, data_batch, now)
