"""The multi-depth branches network (MDBN) for super-resolution (arXiv 2309.17334)."""

from collections.abc import Mapping
from functools import reduce
from math import ceil
from operator import add
from typing import Any

from mmvitkd.utils.errors import KeyedValueError

from mmengine.registry import MODELS
from torch import Tensor, nn

# The factors of the upsampler's pixel shuffles, by scale.
SHUFFLES = {2: (2,), 3: (3,), 4: (2, 2)}
BRANCHES = ('both', 'deep', 'shallow')


def check_scale(scale: int) -> None:
    """Check that there is a network for a scale.

    Raises:
        KeyedValueError: If there is none.
    """
    if scale not in SHUFFLES:
        raise KeyedValueError(f'{{scale}}={scale!r}: wanted 2, 3 or 4.', 'scale')


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Return a convolution that keeps the size of its maps."""
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)


class BaseBlock(nn.Module):  # type: ignore[misc]  # torch is not followed
    """The GELU of a sum of two branches: two convolutions deep, and one.

    Layers have the names of the released checkpoints: ``uconv1`` and ``uconv2`` are the deep
    branch, ``dconv`` is the shallow one.

    Args:
        channels: C of the maps (B, C, H, W), in and out.
        branches: 'both', or the only one: 'deep' or 'shallow'.
    """

    def __init__(self, channels: int, branches: str = 'both') -> None:
        super().__init__()
        self.has_deep, self.has_shallow = branches != 'shallow', branches != 'deep'
        if self.has_deep:
            self.uconv1 = conv3x3(channels, channels)
            self.uconv2 = conv3x3(channels, channels)
        if self.has_shallow:
            self.dconv = conv3x3(channels, channels)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of ``x``."""
        outputs = []
        if self.has_deep:
            outputs.append(self.uconv2(self.act(self.uconv1(x))))
        if self.has_shallow:
            outputs.append(self.dconv(x))
        out: Tensor = self.act(reduce(add, outputs))
        return out


class ResidualBlock(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Two base blocks in series, added to their input.

    Args:
        channels: C of the maps (B, C, H, W).
        branches: See :class:`BaseBlock`.
    """

    def __init__(self, channels: int, branches: str = 'both') -> None:
        super().__init__()
        self.baseblock1 = BaseBlock(channels, branches)
        self.baseblock2 = BaseBlock(channels, branches)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of ``x``."""
        return x + self.baseblock2(self.baseblock1(x))


@MODELS.register_module()
class MDBN(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Enlarge images 2, 3 or 4 times.

    There is no bicubic skip: the network makes the whole image. The defaults are the published
    network; with one branch, 1.5 (deep) or 3 times (shallow) as many blocks have exactly as
    many parameters.

    Args:
        scale: 2, 3 or 4.
        channels: The width of all maps.
        num_blocks: The number of residual blocks.
        branches: See :class:`BaseBlock`.

    Attributes:
        scale: The scale.
        radius: How many pixels of the small image on each side of a pixel its enlargement
            depends on.

    Raises:
        KeyedValueError: If the scale or the branches are none of these. Loading a state dict of
            another scale raises it, too.
    """

    def __init__(
        self, scale: int, channels: int = 64, num_blocks: int = 6, branches: str = 'both'
    ) -> None:
        super().__init__()
        check_scale(scale)
        if branches not in BRANCHES:
            raise KeyedValueError(
                f'{{branches}}={branches!r}: wanted one of {BRANCHES}.', 'branches'
            )
        self.scale = scale
        self.conv_first = conv3x3(3, channels)
        blocks = [ResidualBlock(channels, branches) for _ in range(num_blocks)]
        self.body = nn.Sequential(*blocks)
        self.conv_after_body = conv3x3(channels, channels)
        self.upsample = nn.Sequential()
        for factor in SHUFFLES[scale]:
            self.upsample.append(conv3x3(channels, factor**2 * channels))
            self.upsample.append(nn.PixelShuffle(factor))
        self.conv_last = conv3x3(channels, 3)
        self.radius = self._radius(2 * num_blocks * (1 if branches == 'shallow' else 2))
        self.register_load_state_dict_pre_hook(_check_same_scale)

    def _radius(self, in_blocks: int) -> int:
        """Return the radius, from how many convolutions follow each other in the blocks."""
        radius, pixel = 2.0 + in_blocks, 1.0
        for factor in SHUFFLES[self.scale]:
            radius += pixel
            pixel /= factor
        return ceil(radius + pixel)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge RGB images of the range 0 to 1.

        Args:
            x: (B, 3, H, W).

        Returns:
            (B, 3, scale * H, scale * W), not clamped to the range.
        """
        x = self.conv_first(x)
        x = x + self.conv_after_body(self.body(x))
        out: Tensor = self.conv_last(self.upsample(x))
        return out


def scale_of(weights: Mapping[str, Tensor]) -> int | None:
    """Return the scale of an MDBN from its state dict; None if it is another network's."""
    shuffles = [weights.get(f'upsample.{place}.weight') for place in (0, 2)]
    kernels = [w for w in shuffles if w is not None and w.ndim == 4]
    factors = tuple(round((w.shape[0] / w.shape[1]) ** 0.5) for w in kernels)
    return next((scale for scale, wanted in SHUFFLES.items() if wanted == factors), None)


def _check_same_scale(
    network: MDBN, state_dict: dict[str, Tensor], prefix: str, *_: Any
) -> None:
    weights = {k.removeprefix(prefix): v for k, v in state_dict.items() if k.startswith(prefix)}
    found = scale_of(weights)
    if found not in (None, network.scale):
        raise KeyedValueError(
            f'{{scale}}={network.scale}: found the weights of a network for scale {found}.',
            'scale',
        )
