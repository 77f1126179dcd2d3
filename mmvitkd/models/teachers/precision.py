"""Compute a teacher in a precision of its own, independent of the student's."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from ...utils.dtypes import at_least_float32

PRECISIONS = (None, 'bf16', 'fp32')


def autocast_to(precision: str | None, device: torch.device) -> AbstractContextManager[object]:
    """Return a context with bfloat16 autocast, without any, or (None) with no change."""
    if precision is None:
        return nullcontext()
    context: AbstractContextManager[object] = torch.autocast(
        device.type, torch.bfloat16, enabled=precision == 'bf16'
    )
    return context


def in_float32(value: Any) -> Any:
    """Return half-precision tensors as float32, also in tuples, lists and dicts."""
    return tree_map_only(Tensor, at_least_float32, value)
