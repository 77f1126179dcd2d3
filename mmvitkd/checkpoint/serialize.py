"""Turn a checkpoint into plain data, which ``torch.load(..., weights_only=True)`` reads."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

HISTORY = ('log_history', 'count_history')
# Instances of their subclasses, such as an IntEnum, are converted to these.
SCALARS: tuple[type, ...] = (bool, int, float, str, bytes)


def to_plain(value: Any, where: str = 'checkpoint') -> Any:
    """Turn numpy values and MMEngine's log buffers into tensors and Python's own types.

    Args:
        value: Any nesting of dicts, lists and tuples.
        where: Its name, for the message.

    Raises:
        TypeError: If it holds anything else; the message says where.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, Tensor):
        return value
    for kind in SCALARS:
        if isinstance(value, kind):
            return value if type(value) is kind else kind(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind in 'biufc':
            return torch.from_numpy(value.copy())
        value = value.tolist()
    if isinstance(value, HistoryBuffer):
        return dict(zip(HISTORY, map(to_plain, value.data), strict=True))
    if isinstance(value, Mapping):
        return {to_plain(k): to_plain(v, f'{where}[{k!r}]') for k, v in value.items()}
    if isinstance(value, list | tuple):
        items = (to_plain(v, f'{where}[{i}]') for i, v in enumerate(value))
        return type(value)(items) if type(value) in (list, tuple) else list(items)
    raise TypeError(
        f'{where} is a {type(value).__name__}: a checkpoint holds tensors, numbers, strings, '
        'lists and dicts only, so that it can be loaded without executing anything.'
    )


def history_buffers(scalars: Mapping[str, Any]) -> dict[str, HistoryBuffer]:
    """Restore MMEngine's log buffers from the plain data of :func:`to_plain`."""
    return {
        name: value
        if isinstance(value, HistoryBuffer)
        else HistoryBuffer(*(value[part].cpu().numpy() for part in HISTORY))
        for name, value in scalars.items()
    }
