"""One adapter per family of models: blocks, grids, input size, normalisation, classes."""

from typing import Any

from ..features import Grid
from .adapter import Adapter
from .mmpretrain_adapter import MMPretrainAdapter
from .timm_adapter import TimmAdapter

# A new family is a file of this folder and its class here.
FAMILIES: tuple[type[Adapter], ...] = (MMPretrainAdapter, TimmAdapter)

__all__ = [
    'FAMILIES',
    'Adapter',
    'adapter_for',
    'blocks_of',
    'input_size_of',
    'token_grid_of',
]


def adapter_for(model: Any) -> Adapter:
    """Return the adapter of a model's family, or a plain ``Adapter`` if none accepts it."""
    for family in FAMILIES:
        if family.accepts(model):
            return family(model)
    return Adapter(model)


def blocks_of(model: Any) -> list[str]:
    """Return the module names of a model's blocks or stages in order, if they are known."""
    return adapter_for(model).blocks


def input_size_of(model: Any) -> Grid | None:
    """Return (H, W) in pixels that a model is made for, or None if it takes any size."""
    return adapter_for(model).input_size


def token_grid_of(model: Any) -> Grid | None:
    """Return (H, W) of the tokens of all blocks of a ViT, or None for another model."""
    return adapter_for(model).token_grid
