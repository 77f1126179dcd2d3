"""Turn tensors and arrays, at any depth, into numbers and lists, which JSON can hold."""

from typing import Any

import numpy as np
from torch import Tensor


def plain_values(value: Any) -> Any:
    """Return a value with lists and numbers in place of tensors and arrays.

    Example:
        >>> import numpy, torch
        >>> plain_values({'matrix': torch.eye(2), 'top1': numpy.float32(0.5)})
        {'matrix': [[1.0, 0.0], [0.0, 1.0]], 'top1': 0.5}
    """
    if isinstance(value, Tensor | np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    return value
