"""Measure at which frequencies each branch of a network works (arXiv 2309.17334)."""

from collections.abc import Iterable
from typing import Any

from mmvitkd.analysis import FeatureExtractor
from mmvitkd.analysis.functional.moments import CurveMoments
from mmvitkd.utils.errors import KeyedValueError

import torch
from torch import Tensor

from .network import MDBN, BaseBlock
from .radial_spectrum import radial_spectrum

# The last layer of each branch: its output is what the base block adds up.
LAYERS = dict(deep='uconv2', shallow='dconv')
INPUT = 'input'


class BranchSpectra:
    """Spectra of the two branches of all base blocks, averaged over images.

    Args:
        network: A network with both branches.
        frequency: What counts as high, in cycles per pixel of the small image: between 0 and
            0.5.

    Raises:
        KeyedValueError: If the network has one branch, or the frequency is out of its range.
    """

    def __init__(self, network: MDBN, frequency: float = 0.25) -> None:
        if not 0 < frequency < 0.5:
            raise KeyedValueError(
                f'{{frequency}}={frequency}: wanted cycles per pixel, between 0 and 0.5.',
                'frequency',
            )
        self.frequency = frequency
        self.blocks = base_blocks(network)
        names = [f'{block}.{layer}' for block in self.blocks for layer in LAYERS.values()]
        self._extractor = FeatureExtractor(network, names)
        self._power = {key: CurveMoments() for key in (INPUT, *names)}
        self._above = {key: CurveMoments() for key in self._power}
        self._flat = CurveMoments()

    def update(self, images: Tensor) -> dict[str, Tensor]:
        """Add small images, (B, 3, H, W), from 0 to 1; return the maps that were measured."""
        with torch.no_grad(), self._extractor.recorded(images) as (_, outputs):
            maps = {INPUT: images, **outputs}
        for key, moments in self._power.items():
            spectrum = radial_spectrum(maps[key], self.frequency)
            moments.update(spectrum.power)
            self._above[key].update(spectrum.above[:, None])
        self._flat.update(torch.full((len(images), 1), spectrum.flat))
        return maps

    def result(self) -> dict[str, Any]:
        """Return the means over the images so far.

        Returns:
            'frequency' and 'images'; 'flat', the share of high frequencies in a flat spectrum;
            'input', of the images themselves; and 'blocks', by name, 'deep' and 'shallow' of
            each. All of these have 'power' and 'above', see
            :class:`~.radial_spectrum.RadialSpectrum`, and 'std', that of 'above' over images.
        """
        return dict(
            frequency=self.frequency,
            images=self._flat.count,
            flat=self._flat.mean[0],
            input=self._entry(INPUT),
            blocks={
                block: {
                    branch: self._entry(f'{block}.{layer}') for branch, layer in LAYERS.items()
                }
                for block in self.blocks
            },
        )

    def _entry(self, key: str) -> dict[str, Any]:
        above = self._above[key]
        return dict(power=self._power[key].mean, above=above.mean[0], std=above.std[0])


def base_blocks(network: MDBN) -> list[str]:
    """Return the names of the base blocks of a network with both branches.

    Raises:
        KeyedValueError: If it has one branch.
    """
    blocks = {n: m for n, m in network.named_modules() if isinstance(m, BaseBlock)}
    if not all(block.has_deep and block.has_shallow for block in blocks.values()):
        raise KeyedValueError(
            '{checkpoint}: its network has one branch; wanted both, to compare them.',
            'checkpoint',
        )
    return list(blocks)


def measure(
    network: MDBN, images: Iterable[Tensor], frequency: float = 0.25
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Measure the branches on images of any sizes.

    Args:
        network: A network with both branches.
        images: Small images, (1, 3, H, W) each, from 0 to 1.
        frequency: See :class:`BranchSpectra`.

    Returns:
        The result, and the maps of the first image.
    """
    spectra = BranchSpectra(network, frequency)
    first = None
    for image in images:
        maps = spectra.update(image)
        first = first or maps
    assert first is not None
    return spectra.result(), first
