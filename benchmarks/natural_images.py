"""Generate JPEG files like photographs: edges, texture with a 1/f spectrum, some noise."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ('odd', 'even')
QUALITY = 90  # with the texture below, about half a byte per pixel, as in ImageNet


def write_images(folder: Path, size: tuple[int, int], number: int) -> None:
    """Write images into two class folders, the same in each call.

    Args:
        folder: Created if missing.
        size: (width, height) in pixels.
        number: Number of images.
    """
    for index in range(number):
        path = folder / CLASSES[index % 2] / f'{index:04}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        natural_image(*size, seed=index).save(path, quality=QUALITY)


def natural_image(width: int, height: int, seed: int, noise: float = 4) -> Image.Image:
    """Generate an RGB image.

    Args:
        width: In pixels.
        height: In pixels.
        seed: Seed of the image.
        noise: Standard deviation of the white noise, in grey levels.
    """
    rng = np.random.default_rng(seed)
    pixels = np.asarray(_shapes(rng, width, height), np.float32)
    pixels = pixels + 22 * _texture(rng, height, width)[..., None]
    pixels += 8 * np.stack([_texture(rng, height, width) for _ in 'RGB'], axis=-1)
    pixels += noise * rng.standard_normal((height, width, 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _shapes(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Draw discs and triangles, many small ones and few large ones."""
    image = Image.new('RGB', (width, height), tuple(rng.integers(40, 216, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for index in range(60):
        radius = height / 60 + height / 40 * rng.pareto(1.5)
        centre = rng.uniform(0, (width, height))
        colour = tuple(rng.integers(20, 236, 3).tolist())
        if index % 2:
            draw.ellipse([*(centre - radius), *(centre + radius)], fill=colour)
        else:
            angles = rng.uniform(0, 2 * np.pi, 3)
            corners = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
            draw.polygon([tuple(corner) for corner in corners], fill=colour)
    return image


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return noise (height, width) of variance 1 and a spectrum of amplitudes 1/f."""
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    f[0, 0] = np.inf
    spectrum = rng.standard_normal(f.shape) + 1j * rng.standard_normal(f.shape)
    field = np.fft.irfft2(spectrum / f, (height, width))
    return (field / field.std()).astype(np.float32)
