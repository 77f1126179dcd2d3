"""Writing a converted checkpoint, whole or not at all."""

import io
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from .atomic_backend import AtomicLocalBackend
from .converters.convert import Converted

# Beside the weights in our checkpoint, and where the way back finds it.
UNUSED_KEY = 'released_unused'


def write(converted: Converted, to: str, path: Path) -> None:
    """Write plain data as the layout has it: what ``weights_only=True`` reads.

    ``mmpretrain`` is a checkpoint with a 'state_dict', ``released`` one with a 'model', and
    ``timm`` the state dict alone. So is every safetensors file, which holds nothing else.

    Args:
        converted: The weights.
        to: The layout they are in.
        path: Where to; folders on the way are made, a file that is there is replaced.
    """
    weights = _plain(converted.weights)
    if path.suffix == '.safetensors':
        AtomicLocalBackend().put(save(weights, metadata={'format': 'pt'}), path)
        return
    content: dict[str, Any] = weights
    if to == 'released':
        content = dict(model=weights)
    elif to == 'mmpretrain':
        content = dict(state_dict=weights)
        if converted.unused:
            content[UNUSED_KEY] = _plain(converted.unused)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    AtomicLocalBackend().put(buffer.getvalue(), path)


def _plain(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies that carry no gradient, no part of a larger storage, and no other layout."""
    return {
        key: value.detach().clone(memory_format=torch.contiguous_format)
        for key, value in weights.items()
    }
