"""The precision of a teacher, whatever the student's is."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from ...utils.dtypes import at_least_float32

PRECISIONS = (None, 'bf16', 'fp32')


def autocast_to(precision: str | None, device: torch.device) -> AbstractContextManager:
    """A context of a forward pass: bfloat16 autocast, or none; or as it is around it."""
    if precision is None:
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == 'bf16')


def in_float32(value: Any) -> Any:
    """Half-precision tensors, also in tuples, lists and dicts, as float32; others as is."""
    return tree_map_only(Tensor, at_least_float32, value)
