"""Floor of a target: the least error of any student of a width behind a linear map."""

from collections.abc import Iterable, Sequence
from math import ceil, sqrt
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.connectors.target_tokens_connector import KINDS, constant_channels
from .moments import CentredProducts, CurveMoments

# Share of the channels that are the largest ones: a hundredth, at least one.
LARGEST = 0.01
# The widths of ViT-Ti, -S, -B and -L, and half of the first and the last.
COMMON_WIDTHS = (96, 192, 384, 512, 768, 1024)


class Moments(NamedTuple):
    """Mean and covariance of tokens.

    Attributes:
        mean: (D,) float64.
        covariance: (D, D) float64, divided by the number of tokens.
        num_tokens: How many there are.
    """

    mean: Tensor
    covariance: Tensor
    num_tokens: int


def width_floor(
    fit: Moments, target: str = 'raw', test: Moments | None = None, bias: bool = True
) -> Tensor:
    """Return the least relative squared error behind a linear map, for every width.

    What a map ``W z + b`` makes of tokens z of the width w lies in an affine set of w
    dimensions, so the mean squared error is at least the tail of the covariance's eigenvalues
    beyond the w largest (Eckart and Young), whatever the student is. docs/recommend.md has the
    proof, and which remedies it holds for.

    Args:
        fit: Of the tokens that the set is fitted on: the best one is their mean and their
            principal directions.
        target: 'raw', 'centred' or 'standardised', by the statistics of ``fit``; see
            :class:`~mmvitkd.models.connectors.TargetTokens`.
        test: Of other tokens, whose error is returned: an expectation for a set that has to
            be found on other images, not a bound. None returns that of ``fit``, a bound.
        bias: Whether the map has one; without it the set contains the origin.

    Returns:
        (D + 1,) float64, not increasing: for the widths 0, 1, ... D the error, divided by the
        mean energy of the tested target.

    Raises:
        ValueError: If the target is unknown, or all tokens are the same.

    Example:
        >>> import torch
        >>> from mmvitkd.analysis import WidthFloor, width_floor
        >>> tokens = torch.randn(4, 100, 3) @ torch.eye(3, 8) + 5  # in 3 dimensions
        >>> moments = WidthFloor()
        >>> moments.update(tokens)
        >>> floor = width_floor(moments.whole)
        >>> bool(floor[2] > 1e-3), bool(floor[3] < 1e-9)
        (True, True)
    """
    shift, scale = _target(fit, target)
    basis, test = _changed(fit, shift, scale), _changed(test or fit, shift, scale)
    origin = basis.mean if bias else torch.zeros_like(basis.mean)
    _, vectors = torch.linalg.eigh(_moment(basis, origin))
    along = (vectors * (_moment(test, origin) @ vectors)).sum(0).clamp(min=0)  # ascending
    tails = torch.cat([along.new_zeros(1), along.cumsum(0)]).flip(0)
    return tails / _energy(test)


def pooling_loss(moments: Moments, width: int, target: str = 'raw') -> float:
    """Return the share of a target that average pooling of its channels discards.

    Plain feature distillation pools the teacher's channels to the student's width
    (:func:`~mmvitkd.models.losses.align`). What lies outside the ``width`` directions that the
    pooled channels span is invisible to the loss.

    Args:
        moments: Of the tokens.
        width: From 1 to D.
        target: See :func:`width_floor`.

    Raises:
        ValueError: If the width is out of range, or all tokens are the same.
    """
    channels = len(moments.mean)
    if not 1 <= width <= channels:
        raise ValueError(f'width={width}: wanted 1 to {channels}, the width of the features.')
    changed = _changed(moments, *_target(moments, target))
    identity = torch.eye(channels, dtype=torch.float64)
    span, _ = torch.linalg.qr(F.adaptive_avg_pool1d(identity, width))
    second = _moment(changed, torch.zeros_like(changed.mean))
    kept = (span * (second @ span)).sum() / _energy(changed)
    return max(0.0, 1 - float(kept))


class WidthFloor:
    """Accumulates what the floors of a layer are computed from, in float64.

    Images are numbered as they come, and those of even and of odd numbers are kept apart: the
    held-out floor is of one half, in the basis of the other. Two D x D matrices are held,
    whatever the number of images.
    """

    def __init__(self) -> None:
        self._halves = CentredProducts(), CentredProducts()
        self._norms = CurveMoments()
        self._num_images = 0

    def update(self, features: Tensor, places: Iterable[int] | None = None) -> None:
        """Add the patch tokens of B images.

        Args:
            features: (B, N, D).
            places: The numbers of the images; None counts on.

        Raises:
            ValueError: If D differs from that of earlier images.
        """
        features = features.detach().double()
        first = self._num_images
        places = range(first, first + len(features)) if places is None else places
        odd = torch.tensor([place % 2 == 1 for place in places], device=features.device)
        for half, rows in zip(self._halves, (features[~odd], features[odd]), strict=True):
            tokens = rows.flatten(0, 1)
            if len(tokens):
                half.update(tokens, tokens)
        self._norms.update(features.norm(dim=2).reshape(-1, 1))
        self._num_images += len(features)

    @property
    def halves(self) -> tuple[Moments, Moments]:
        """The moments of images of even numbers, and of odd ones.

        Raises:
            ValueError: If one has no image.
        """
        even, odd = (_moments(half) for half in self._halves)
        return even, odd

    @property
    def whole(self) -> Moments:
        """The moments of all images.

        Raises:
            ValueError: If there is none.
        """
        both = CentredProducts()
        for half in self._halves:
            both.merge(half)
        return _moments(both)

    @property
    def images_needed(self) -> int:
        """How many images give each half more tokens than channels; 0 if these do."""
        counts = [half.count for half in self._halves]
        width = len(self.whole.mean)
        if min(counts) > width:
            return 0
        tokens = sum(counts) // self._num_images
        return 2 * ceil((width + 1) / tokens)

    def result(self, pool_widths: Sequence[int] = ()) -> dict[str, Any]:
        """Return the floors, and what decides among targets.

        Args:
            pool_widths: The widths whose :func:`pooling_loss` is computed.

        Returns:
            For 'raw', 'centred' and 'standardised': 'in_sample' and 'held_out', D + 1 numbers
            each, the latter None with too few images, and 'pooled', by width. 'images_needed',
            how many give it, else 0. 'mean_share', the energy of the mean token as a share of
            all energy. 'largest', of the hundredth of the channels with the most of it:
            'channels', their numbers; 'energy' and 'variance', the share that the largest
            ones have of either. 'token_norm': 'mean' and 'std' over the tokens, and
            'layer_norm', that of a token of a LayerNorm that is not trained yet.

        Raises:
            ValueError: If there is no image, or all tokens are the same.
        """
        whole, needed = self.whole, self.images_needed
        held_out = None if needed else self.halves
        found: dict[str, Any] = {}
        for target in KINDS:
            bound = width_floor(whole, target).tolist()
            rest = held_out and width_floor(held_out[0], target, held_out[1]).tolist()
            found[target] = dict(
                in_sample=bound,
                held_out=rest,
                pooled={str(w): pooling_loss(whole, w, target) for w in pool_widths},
            )
        [norm], [spread] = self._norms.mean, self._norms.std
        width = len(whole.mean)
        return {
            **found,
            'images_needed': needed,
            'mean_share': float(whole.mean.square().sum() / _energy(whole)),
            'largest': _largest(whole),
            'token_norm': dict(mean=norm, std=spread, layer_norm=sqrt(width)),
        }


def common_widths(width: int) -> list[int]:
    """Return the widths of usual students below a width, its half and its quarter included."""
    return sorted({w for w in (width // 4, width // 2, *COMMON_WIDTHS) if 0 < w < width})


def smallest_width(curve: Sequence[float], share: float) -> int:
    """Return the smallest width whose floor is at most a share; curves end near 0."""
    return next((w for w, floor in enumerate(curve) if floor <= share), len(curve) - 1)


def _moments(products: CentredProducts) -> Moments:
    if not products.count:
        raise ValueError('nothing measured: a floor needs 1 image or more.')
    covariance = products.products / products.count
    return Moments(products.mean_x.cpu(), covariance.cpu(), products.count)


def _target(moments: Moments, target: str) -> tuple[Tensor, Tensor]:
    """Return what a target subtracts from the channels, and what it multiplies them by."""
    if target not in KINDS:
        raise ValueError(f'target={target!r}: wanted one of {list(KINDS)}.')
    mean, std = moments.mean, moments.covariance.diagonal().clamp(min=0).sqrt()
    constant = constant_channels(mean, std)
    if constant.all():
        raise ValueError(
            f'all {moments.num_tokens:,} tokens are the same in all {len(std)} channels: '
            'there is nothing to distil.'
        )
    one = torch.ones_like(std)
    shift = torch.zeros_like(mean) if target == 'raw' else mean
    return shift, 1 / torch.where(constant, one, std) if target == 'standardised' else one


def _changed(moments: Moments, shift: Tensor, scale: Tensor) -> Moments:
    covariance = moments.covariance * scale[:, None] * scale
    return Moments((moments.mean - shift) * scale, covariance, moments.num_tokens)


def _moment(moments: Moments, origin: Tensor) -> Tensor:
    """Return the second moment about a point, (D, D)."""
    step = moments.mean - origin
    return moments.covariance + torch.outer(step, step)


def _energy(moments: Moments) -> Tensor:
    return moments.covariance.trace() + moments.mean.square().sum()


def _largest(moments: Moments) -> dict[str, Any]:
    variance = moments.covariance.diagonal()
    energy = variance + moments.mean.square()
    count = ceil(LARGEST * len(energy))
    return dict(
        channels=energy.topk(count).indices.tolist(),
        energy=float(energy.topk(count).values.sum() / energy.sum()),
        variance=float(variance.topk(count).values.sum() / variance.sum()),
    )
