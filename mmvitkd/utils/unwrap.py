"""Remove wrappers such as DDP from a model."""

from typing import Any

from torch import nn


def unwrap_model(model: nn.Module) -> Any:
    """Return the model itself, without wrappers such as DDP or test-time augmentation."""
    while hasattr(model, 'module'):
        model = model.module
    return model
