"""Patch tokens that the analyses are tested on, and their results as rows of numbers."""

import functools

import timm
import torch
from smooth_image import smooth_image
from torchvision.transforms.functional import to_tensor


def random_tokens(num_images=7, num_tokens=20, width=32):
    return torch.randn(num_images, num_tokens, width)


def low_rank_tokens(rank=3, num_images=7, num_tokens=20, width=32):
    """All images' tokens lie in the same directions, to the rounding of float64."""
    directions = torch.randn(rank, width, dtype=torch.float64)
    return torch.randn(num_images, num_tokens, rank, dtype=torch.float64) @ directions


def one_hot_tokens(num_images=7, num_tokens=20, width=32):
    """One channel a token; each of another height, so that no two hold the same energy."""
    channels = torch.randint(width, (num_images, num_tokens))
    return torch.eye(width)[channels] * torch.linspace(1, 2, width)


@functools.cache
def real_tokens(num_images=7):
    """Of an untrained ViT's last block, (num_images, 64, 32)."""
    torch.manual_seed(0)
    model = timm.create_model(
        'vit_tiny_patch16_224', img_size=64, patch_size=8, embed_dim=32, depth=3, num_heads=2
    ).eval()
    images = torch.stack([to_tensor(smooth_image(64, 64, seed)) for seed in range(num_images)])
    with torch.no_grad():
        _, blocks = model.forward_intermediates(images, output_fmt='NLC')
    return blocks[-1]


KINDS = {
    'random': random_tokens,
    'low rank': low_rank_tokens,
    'one-hot': one_hot_tokens,
    'real': real_tokens,
}


def numbers(result, key=''):
    """Every number of a nested result by its path, for ``pytest.approx``; no words."""
    if isinstance(result, dict):
        parts = result.items()
    elif isinstance(result, list):
        parts = enumerate(result)
    else:
        return {} if isinstance(result, str) else {key: result}
    return {k: v for name, part in parts for k, v in numbers(part, f'{key}/{name}').items()}
