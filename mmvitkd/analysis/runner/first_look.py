"""The measures of one block that take features as they come."""

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from torch import Tensor

from ..functional.channel_energy import ParticipationRatio, SortedChannelEnergy
from ..functional.channel_spectrum import ChannelSpectrum
from ..functional.magnitude import Magnitude
from ..functional.sep import SEP
from ..functional.sep_null import null_sep
from ..functional.sep_permutation import SEPPermutation
from ..functional.singular_values import SVDDimensions
from .settings import Settings


class Stream(Protocol):
    """A measure that is fed batch by batch."""

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D)."""

    def result(self) -> dict[str, Any]:
        """What the images so far came to."""


# By measure, what it feeds, by a name of its own: two measures may share one.
STREAMS: dict[str, dict[str, Callable[[Settings], Stream]]] = {
    'svd': {'svd': lambda settings: SVDDimensions()},
    'effective_rank': {'svd': lambda settings: SVDDimensions()},
    'sep': {
        'full': lambda settings: SEP('full'),
        'folded': lambda settings: SEP('folded'),
    },
    'permutation': {'permuted': lambda settings: SEPPermutation(seed=settings.seed)},
    'energy': {
        'sorted_energy': lambda settings: SortedChannelEnergy(),
        'participation_ratio': lambda settings: ParticipationRatio(),
    },
    'spectrum': {'spectrum': lambda settings: ChannelSpectrum()},
    'magnitude': {'activation_magnitude': lambda settings: Magnitude()},
}
OF_SEP = ('full', 'folded', 'permuted')
# Random tokens, in the mode that each is read beside.
NULLS = {'null': 'full', 'null_folded': 'folded'}


class FirstLook:
    """All of them, and how many tokens are zero.

    Args:
        settings: Has the measures; those that need more than this are passed over.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._streams = {
            name: make(settings)
            for measure in settings.measures
            for name, make in STREAMS.get(measure, {}).items()
        }
        self._zero_tokens = 0

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D)."""
        self._zero_tokens += int((~features.any(2)).sum())
        features = features.double()  # once for all of them
        for stream in self._streams.values():
            stream.update(features)

    def result(self) -> dict[str, Any]:
        """Their part of the block's entry in the report.

        Raises:
            ValueError: If a measure has no value; names it.
        """
        found = {}
        for name, stream in self._streams.items():
            try:
                found[name] = stream.result()
            except ValueError as error:
                raise ValueError(f'{name}: {error}') from None
        entry: dict[str, Any] = {'zero_tokens': self._zero_tokens}
        if 'svd' in found:
            rank = found['svd'].pop('effective_rank')
            parts = dict(svd=found.pop('svd'), effective_rank=rank)
            entry |= {k: part for k, part in parts.items() if k in self._settings.measures}
        sep = {mode: found.pop(mode) for mode in OF_SEP if mode in found}
        if 'full' in sep:
            width = len(sep['full']['curve'])
            for name, mode in NULLS.items():
                sep[name] = _null(width, mode, self._settings.seed)
        entry |= dict(sep=sep) if sep else {}
        return {**entry, **found.pop('spectrum', {}), **found}


@cache
def _null(embed_dims: int, mode: str, seed: int) -> dict[str, Any]:
    """SEP of Gaussian tokens: the same for all blocks of a width."""
    return null_sep(embed_dims, mode, seed=seed)
