"""Check how a teacher's outputs are stored: ``teacher_cache`` of a config."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ...suggestions import did_you_mean
from ...utils.errors import KeyedValueError

# The options that decide how numbers are stored.
STORAGE = ('top_k', 'features', 'rank')
FEATURES = ('int8', 'fp16', 'fp32')
DEFAULT_TOP_K = 20


@dataclass(frozen=True)
class CacheOptions:
    """How a teacher's outputs are stored.

    Attributes:
        top_k: How many of the largest logits; 'all' for all of them in float32; None for 20,
            or all where there are no more.
        features: The numbers of features: 'int8' with one scale a token, 'fp16' or 'fp32'.
        rank: Store features as their best approximation of this rank in each image.
        full_features: Whether the teacher's own grid and width are stored, which serve any
            student, where the losses of this one read a smaller grid or pooled channels.
        ignore_versions: Whether a cache written with other versions of Pillow, torch and so on
            is used if the checked images have equal pixels.

    Raises:
        ValueError: If one is wrong; names it.
    """

    top_k: int | str | None = None
    features: str = 'int8'
    rank: int | None = None
    full_features: bool = False
    ignore_versions: bool = False

    def __post_init__(self) -> None:
        if not (self.top_k in (None, 'all') or _is_positive(self.top_k)):
            _refuse('top_k', self.top_k, "an int above 0, or 'all'")
        if self.features not in FEATURES:
            _refuse('features', self.features, ' or '.join(map(repr, FEATURES)))
        if not (self.rank is None or _is_positive(self.rank)):
            _refuse('rank', self.rank, 'an int above 0, or None')
        if self.rank is not None and self.features != 'int8':
            _refuse('features', self.features, "'int8', as rank is set")
        for key in ('full_features', 'ignore_versions'):
            if not isinstance(getattr(self, key), bool):
                _refuse(key, getattr(self, key), 'True or False')


def cache_options(options: Mapping[str, Any]) -> CacheOptions:
    """Return the options by their names.

    Raises:
        ValueError: If there is no such option, or one is wrong.
    """
    known = [field.name for field in fields(CacheOptions)]
    for name in options:
        if name not in known:
            key = f'teacher_cache.{name}'
            raise KeyedValueError(
                f'{{{key}}}: there is no such option{did_you_mean(name, known)}', key
            )
    return CacheOptions(**options)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _refuse(name: str, value: Any, wanted: str) -> None:
    key = f'teacher_cache.{name}'
    raise KeyedValueError(f'{{{key}}}={value!r}: wanted {wanted}.', key)
