"""An exponential moving average that is updated all at once, and asks the device nothing."""

from typing import Any

import torch
from mmengine.model import MomentumAnnealingEMA as _MomentumAnnealingEMA
from torch import nn


class MomentumAnnealingEMA(_MomentumAnnealingEMA):
    """MMEngine's ``MomentumAnnealingEMA``, to the bit, without its cost.

    MMEngine's reads the count of its steps for every parameter, and updates them one by
    one. Here the count is also kept in Python, and one call updates all parameters.

    Args:
        kwargs: What ``MomentumAnnealingEMA`` takes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._count: int | None = 0
        self.register_load_state_dict_post_hook(_forget_count)

    def update_parameters(self, model: nn.Module) -> None:
        """Take one more state of a model into the average."""
        if self._count is None:
            self._count = int(self.steps)
        named = model.state_dict() if self.update_buffers else dict(model.named_parameters())
        pairs = [
            (average.data, named[name].data.to(average.device))
            for name, average in self.avg_parameters.items()
            if self._count == 0 or average.dtype.is_floating_point
        ]
        averages, sources = (list(side) for side in zip(*pairs, strict=True))
        if self._count == 0:
            torch._foreach_copy_(averages, sources)
        elif self._count % self.interval == 0:
            momentum = max(self.momentum, self.gamma / (self.gamma + self._count))
            torch._foreach_lerp_(averages, sources, momentum)
        if not self.update_buffers:
            for ours, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                ours.data.copy_(theirs.data)
        self.steps += 1
        self._count += 1


def _forget_count(module: MomentumAnnealingEMA, _: Any) -> None:
    """The count has been loaded: it has to be read again."""
    module._count = None
