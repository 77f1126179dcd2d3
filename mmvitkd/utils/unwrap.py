"""Take a model out of what wraps it."""

from typing import Any

from torch import nn


def unwrap_model(model: nn.Module) -> Any:
    """Return the model itself, without DDP or test-time augmentation around it."""
    while hasattr(model, 'module'):
        model = model.module
    return model
