"""Channel spectrum and frequency intensity: the mean amplitude of the FFT over channels."""

from typing import Any

import torch
from torch import Tensor

from ...models.utils.channel_power import half_power
from .chunking import chunk_images


class ChannelSpectrum:
    """Mean amplitude of the Fourier transform over channels (arXiv 2511.06848).

    ``S_l(k) = mean over images and tokens of |FFT_C(A_l)| / C`` at all C bins k, from DC up;
    it is symmetric, as the features are real. Its mean over k is the block's frequency
    intensity, by which SpectralKD chooses layers (arXiv 2412.19055; ``choose_layers``).
    All-zero tokens count as well, with a spectrum of zero.
    """

    def __init__(self) -> None:
        self._sum = torch.zeros(0, dtype=torch.float64)  # (C // 2 + 1,)
        self._width = 0
        self._num_tokens = 0

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, C).

        Raises:
            ValueError: If C differs from that of earlier images.
        """
        for chunk in chunk_images(features):
            tokens = chunk.flatten(0, 1).double()
            amplitudes = half_power(tokens).sqrt().sum(0)
            self._add(tokens.shape[1], len(tokens), amplitudes.cpu())

    def result(self) -> dict[str, Any]:
        """Return the result for the images so far.

        Returns:
            'spectrum', C numbers, and 'frequency_intensity', both in the features' unit.

        Raises:
            ValueError: If there are no images.
        """
        if not self._num_tokens:
            raise ValueError('nothing measured: ChannelSpectrum has no image.')
        half = self._sum / (self._num_tokens * self._width)
        mirrored = half[1 : (self._width + 1) // 2].flip(0)
        spectrum = torch.cat([half, mirrored])
        return {
            'spectrum': spectrum.tolist(),
            'frequency_intensity': spectrum.mean().item(),
        }

    def _add(self, width: int, num_tokens: int, amplitudes: Tensor) -> None:
        if not self._num_tokens:
            self._width, self._sum = width, torch.zeros_like(amplitudes)
        if width != self._width:
            raise ValueError(
                f'features: found {width} channels, wanted {self._width} as before.'
            )
        self._sum = self._sum + amplitudes
        self._num_tokens += num_tokens
