"""Draw the feature maps of the branches, their Fourier spectra, and the share of detail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmvitkd.analysis.plotting.figure import integer_ticks, new_figure
from mmvitkd.utils.plotting import COLORS, GREY, plain

import numpy as np
import torch
from torch import Tensor

from .branch_spectra import INPUT, LAYERS
from .radial_spectrum import BINS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOR = dict(deep=COLORS[1], shallow=COLORS[2])


def draw_branches(
    trained: dict[str, Any], untrained: dict[str, Any], maps: dict[str, Tensor]
) -> Figure:
    """Draw the result of a network, next to that of the same network untrained.

    Args:
        trained: What :func:`~.branch_spectra.measure` returns first.
        untrained: The same, with random weights.
        maps: What it returns second: the maps of an image.
    """
    figure = new_figure(10, 8)
    grid = figure.add_gridspec(3, 6, height_ratios=(2, 2, 3))
    last = list(trained['blocks'])[-1]
    image = maps[INPUT][0]
    shown = {'image': (image.movedim(0, 2).cpu().numpy(), _spectrum(image))}
    for branch, layer in LAYERS.items():
        each = maps[f'{last}.{layer}'][0]
        shown[f'{branch}, {last}'] = _map(each), _spectrum(each)
    for column, (title, (picture, spectrum)) in enumerate(shown.items()):
        place = slice(2 * column, 2 * column + 2)
        _show(figure.add_subplot(grid[0, place]), title, picture)
        _show(figure.add_subplot(grid[1, place]), 'its spectrum', spectrum)
    _draw_curves(figure.add_subplot(grid[2, :3]), trained)
    _draw_shares(figure.add_subplot(grid[2, 3:]), trained, untrained)
    return figure


def _show(axes: Axes, title: str, image: np.ndarray) -> None:
    axes.imshow(image, cmap='gray')
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def _map(maps: Tensor) -> np.ndarray:
    """Return how far each pixel of maps (C, H, W) is from their means: its root mean square."""
    centred = maps - maps.mean((1, 2), keepdim=True)
    picture: np.ndarray = centred.square().mean(0).sqrt().cpu().numpy()
    return picture.clip(max=np.quantile(picture, 0.99))


def _spectrum(maps: Tensor) -> np.ndarray:
    """Return the logarithm of the power of maps, frequency 0 in the middle."""
    centred = maps.double() - maps.double().mean((1, 2), keepdim=True)
    power = torch.fft.fftshift(torch.fft.fft2(centred).abs().square().sum(0))
    picture: np.ndarray = power.clamp(min=float(power.max()) * 1e-8).log10().cpu().numpy()
    return picture


def _draw_curves(axes: Axes, trained: dict[str, Any]) -> None:
    plain(axes)
    frequencies = (np.arange(BINS) + 0.5) / (2 * BINS)
    for branch, color in COLOR.items():
        curves = [block[branch]['power'][:BINS] for block in trained['blocks'].values()]
        axes.plot(frequencies, np.transpose(curves), color=color, alpha=0.25, linewidth=0.8)
        axes.plot(frequencies, np.mean(curves, axis=0), color=color, label=branch)
    axes.plot(frequencies, trained[INPUT]['power'][:BINS], color=GREY, label='image')
    axes.axvline(trained['frequency'], color=GREY, linestyle=':')
    axes.set(yscale='log', xlabel='cycles per pixel', ylabel='power (share)')
    axes.legend(frameon=False, fontsize=9)


def _draw_shares(axes: Axes, trained: dict[str, Any], untrained: dict[str, Any]) -> None:
    plain(axes)
    for result, style, suffix in ((trained, '-o', ''), (untrained, '--', ', untrained')):
        for branch, color in COLOR.items():
            shares = [block[branch]['above'] for block in result['blocks'].values()]
            places = range(1, len(shares) + 1)
            axes.plot(places, shares, style, color=color, markersize=4, label=branch + suffix)
    axes.axhline(trained['flat'], color=GREY, linestyle=':', label='flat spectrum')
    axes.set(
        xlabel='base block',
        ylabel=f'share of energy above {trained["frequency"]:g}',
        ylim=(0, 1.05),
    )
    integer_ticks(axes.xaxis)
    axes.legend(frameon=False, fontsize=8, ncols=2, loc='upper right')
