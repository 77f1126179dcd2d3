"""Average the spatial power spectrum of maps over directions."""

from typing import NamedTuple

import torch
from torch import Tensor

BINS = 32  # from frequency 0 to 0.5
# A pattern weaker than this share of its maps is due to rounding: networks work in float32.
ROUNDING = torch.finfo(torch.float32).eps


class RadialSpectrum(NamedTuple):
    """The power of B images' maps by frequency, in cycles per pixel.

    Attributes:
        power: (B, BINS + 1), the mean over the frequencies of a bin, as a share of the sum of
            all bins. Bin k is of radii from k / (2 * BINS); the last one is of those above 0.5,
            which only diagonal directions have.
        above: (B,), the share of the energy at radii above a frequency.
        flat: The share that a flat spectrum, as of white noise, would have there.
    """

    power: Tensor
    above: Tensor
    flat: float


def radial_spectrum(maps: Tensor, frequency: float) -> RadialSpectrum:
    """Return the spectrum of maps, over all channels together.

    A Hann window keeps the borders, where a map does not continue on the other side, out of the
    spectrum. The mean of each map is left out: it is no pattern.

    Args:
        maps: (B, C, H, W).
        frequency: What counts as high, between 0 and 0.5 cycles per pixel.

    Raises:
        ValueError: If an image's maps are constant but for rounding, or have a side below 3.
    """
    maps = maps.double()
    height, width = maps.shape[2:]
    if min(height, width) < 3:
        raise ValueError(
            f'maps of {height} x {width} pixels have no spectrum: wanted 3 or more on each '
            'side, as the window is 0 on the outermost.'
        )
    options = dict(periodic=False, dtype=maps.dtype, device=maps.device)
    window = torch.outer(
        torch.hann_window(height, **options), torch.hann_window(width, **options)
    )
    seen = maps * window
    mean = seen.sum((2, 3), keepdim=True) / window.sum()
    power = torch.fft.fft2((maps - mean) * window).abs().square().sum(1).flatten(1)
    total = power.sum(1)
    energy = seen.square().sum((1, 2, 3)) * window.numel()  # as total would be with the mean
    if (total <= ROUNDING**2 * energy).any():
        raise ValueError(
            'maps without any pattern have no spectrum: all their pixels are equal.'
        )
    axes = (torch.fft.fftfreq(n, dtype=maps.dtype, device=maps.device) for n in (height, width))
    radius = torch.hypot(*torch.meshgrid(*axes, indexing='ij')).flatten()
    bins = (radius * 2 * BINS).long().clamp(max=BINS)
    sums = power.new_zeros(len(power), BINS + 1).index_add_(1, bins, power)
    mean_power = sums / bins.bincount(minlength=BINS + 1).clamp(min=1)
    high = radius > frequency
    return RadialSpectrum(
        power=mean_power / mean_power.sum(1, keepdim=True),
        above=power[:, high].sum(1) / total,
        flat=float(high.double().mean()),
    )
