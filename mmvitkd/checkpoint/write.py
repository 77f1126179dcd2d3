"""Write a converted checkpoint, whole or not at all."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from ..utils.atomic_file import atomic_file
from .converters.convert import Converted
from .integrity import seal

# The key of the unused tensors next to the weights, which converting back needs.
UNUSED_KEY = 'released_unused'


def write(converted: Converted, to: str, path: Path) -> None:
    """Write plain data in the layout's own form, which ``weights_only=True`` reads; seal it.

    ``mmpretrain`` is a checkpoint with a 'state_dict', ``released`` one with a 'model', and
    ``timm`` the state dict alone. A safetensors file always holds the state dict alone.

    Args:
        converted: The weights.
        to: The layout they are in.
        path: The file to write or replace; missing folders are created.
    """
    weights = _plain(converted.weights)
    content: dict[str, Any] = weights
    if to == 'released':
        content = dict(model=weights)
    elif to == 'mmpretrain':
        content = dict(state_dict=weights)
        if converted.unused:
            content[UNUSED_KEY] = _plain(converted.unused)
    with atomic_file(path) as temporary:
        if path.suffix == '.safetensors':
            temporary.write_bytes(save(weights, metadata={'format': 'pt'}))
        else:
            # Not by its name, which would be in the file: equal weights give equal files.
            with open(temporary, 'wb') as file:
                torch.save(content, file)
        seal(temporary)


def _plain(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors to contiguous ones without gradients, which own all of their storage."""
    return {
        key: value.detach().clone(memory_format=torch.contiguous_format)
        for key, value in weights.items()
    }
