"""What a model costs: parameters and multiply-accumulates of a forward pass."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


class Cost(NamedTuple):
    """Parameters of a model, and multiply-accumulates for one image."""

    parameters: int
    macs: int


def cost_of(model: nn.Module, image_size: Sequence[int]) -> Cost:
    """Count a model's parameters and multiply-accumulates.

    Matrix products and convolutions count, attention's among them; published GFLOPs are
    twice the multiply-accumulates (arXiv 2511.15572).

    Args:
        model: Takes (1, 3, H, W).
        image_size: H and W, in pixels.
    """
    parameter = next(model.parameters())
    image = torch.zeros(1, 3, *image_size, device=parameter.device, dtype=parameter.dtype)
    training = model.training
    model.eval()
    # Fused attention is one opaque kernel; the math backend shows its products.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as flops:
        model(image)
    model.train(training)
    return Cost(sum(p.numel() for p in model.parameters()), flops.get_total_flops() // 2)
