"""Generate patch tokens to test analyses on, and flatten their results."""

import functools

import timm
import torch
from smooth_image import smooth_image
from torchvision.transforms.functional import to_tensor


def random_tokens(num_images=7, num_tokens=20, width=32):
    return torch.randn(num_images, num_tokens, width)


def low_rank_tokens(rank=3, num_images=7, num_tokens=20, width=32):
    """Tokens of all images in the same few directions, to the rounding of float64."""
    directions = torch.randn(rank, width, dtype=torch.float64)
    return torch.randn(num_images, num_tokens, rank, dtype=torch.float64) @ directions


def one_hot_tokens(num_images=7, num_tokens=20, width=32):
    """One channel per token, with different energies."""
    channels = torch.randint(width, (num_images, num_tokens))
    return torch.eye(width)[channels] * torch.linspace(1, 2, width)


@functools.cache
def real_tokens(num_images=7):
    """Tokens of an untrained ViT's last block, (num_images, 64, 32)."""
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
    """Return every number of a nested result by its path, for ``pytest.approx``."""
    if isinstance(result, dict):
        parts = result.items()
    elif isinstance(result, list):
        parts = enumerate(result)
    else:
        return {} if isinstance(result, str) else {key: result}
    return {k: v for name, part in parts for k, v in numbers(part, f'{key}/{name}').items()}
