"""Measure the peak bytes of live tensors that PyTorch's operators allocate."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """A context; ``peak`` counts the tensors that are allocated in it."""

    def __init__(self):
        super().__init__()
        self.peak = 0
        self._now = 0
        self._known = weakref.WeakSet()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {x.untyped_storage() for x in tree_leaves(args) if torch.is_tensor(x)}
        for tensor in tree_leaves(result):
            if torch.is_tensor(tensor):
                storage = tensor.untyped_storage()
                if storage not in given and storage not in self._known:
                    self._known.add(storage)
                    self._add(storage.nbytes())
                    weakref.finalize(storage, self._add, -storage.nbytes())
        return result

    def _add(self, size):
        self._now += size
        self.peak = max(self.peak, self._now)
