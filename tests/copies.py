"""Record whether copies to another device block."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Copies(TorchDispatchMode):
    """Append to ``waited`` whether each copy to another device blocks."""

    def __init__(self):
        super().__init__()
        self.waited = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        device = kwargs.get('device')
        if func is torch.ops.aten._to_copy.default and device not in (None, args[0].device):
            self.waited.append(not kwargs.get('non_blocking', False))
        return func(*args, **kwargs)
