"""Project the input of a wide block: a Linear and a norm before the block itself."""

from collections.abc import Iterable
from typing import Any

from mmpretrain.models.utils import build_norm_layer
from torch import nn


def add_input_projections(
    blocks: Iterable[nn.Module], dims: list[int], norm_cfgs: list[dict[str, Any]], width_in: int
) -> None:
    """Give every block that is wider than its input a ``proj_in`` and a ``proj_norm``.

    Args:
        blocks: Blocks that follow one another and take tokens (B, L, C) first.
        dims: The width of each block.
        norm_cfgs: The config of each block's norms.
        width_in: The width of the first block's input.
    """
    for block, width, norm_cfg in zip(blocks, dims, norm_cfgs, strict=True):
        if width != width_in:
            others = dict(block._modules)
            block._modules.clear()
            block.proj_in = nn.Linear(width_in, width, bias=False)
            block.proj_norm = build_norm_layer(norm_cfg, width)
            # First, as they are in the forward pass: MMPretrain's vis_cam.py counts the norms
            # from the last to find the one before attention.
            block._modules.update(others)
            block.register_forward_pre_hook(_project_input)
        width_in = width


def _project_input(block: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Forward pre-hook of a block: project its input (B, L, C_in) to its width."""
    tokens, *rest = inputs
    return (block.proj_norm(block.proj_in(tokens)), *rest)
