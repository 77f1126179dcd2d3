"""Say what of a teacher's outputs is stored in a cache: what the losses read, and no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...cache.codecs import (
    Codec,
    Floats,
    Int8Tokens,
    LowRankTokens,
    TopKLogits,
    codec_from_dict,
)
from ...utils.dtypes import at_least_float32
from ...utils.errors import KeyedValueError
from ..losses.align_features import fit_to
from ..utils.features import Features, Grid, to_embedding, to_features
from .cache_options import DEFAULT_TOP_K, CacheOptions


@dataclass(frozen=True)
class TeacherRead:
    """What the losses read of one of a teacher's outputs.

    Attributes:
        source: The module that returns it.
        is_tokens: Whether every loss reads patch tokens only, without the extra ones.
        grid: (H, W) of the tokens; None finds a square one.
        num_extra_tokens: How many tokens precede the patches; None infers it from the grid.
        target: The student's grid and width, if every loss brings the teacher's tokens to them
            first (``align``).
        pool: How the image's embedding is made, if every loss reads that instead of the tokens.
    """

    source: str
    is_tokens: bool = False
    grid: Grid | None = None
    num_extra_tokens: int | None = None
    target: tuple[Grid, int] | None = None
    pool: str | None = None

    def of(self, output: Any) -> Features | Tensor:
        """Return the part of an output that is read, in float32.

        Raises:
            ValueError: If it is not a tensor, or has no patch tokens.
        """
        if not self.is_tokens:
            if not isinstance(output, Tensor):
                raise ValueError(f'a {type(output).__name__} cannot be stored; wanted a tensor')
            return at_least_float32(output)
        if self.pool is not None:
            embedding = to_embedding(output, self.pool, self.num_extra_tokens)
            return Features(at_least_float32(embedding).unsqueeze(1), (1, 1))
        features = to_features(output, self.grid, self.num_extra_tokens)
        return Features(at_least_float32(features.tokens), features.grid)


@dataclass(frozen=True)
class StoredTensor:
    """How one of a teacher's outputs is stored.

    Attributes:
        source: The module that returns it.
        codec: How an image's part of it becomes bytes.
        grid: (H, W) of stored patch tokens; None if the whole output is stored.
        whole: (H, W) and the width of the teacher's own tokens, which are larger if the
            student's grid and width are stored.
        is_logits: Whether these are the scores of the classes.
        pool: How a stored embedding was made; None if it is none.
    """

    source: str
    codec: Codec
    grid: Grid | None = None
    whole: tuple[Grid, int] | None = None
    is_logits: bool = False
    pool: str | None = None

    @classmethod
    def choose(
        cls, read: TeacherRead, output: Any, options: CacheOptions, num_classes: int | None
    ) -> 'StoredTensor':
        """Choose how to store an output, of which an example is given.

        Raises:
            ValueError: If it is no tensor, or an option does not fit it.
        """
        found = read.of(output)
        if isinstance(found, Features):
            whole = found.grid, int(found.tokens.shape[2])
            if read.target is not None and not options.full_features:
                grid, width = read.target
                found = fit_to(found, grid, min(width, whole[1]))
            codec = _codec(tuple(found.tokens.shape[1:]), False, options)
            return cls(read.source, codec, found.grid, whole, pool=read.pool)
        shape = tuple(found.shape[1:])
        is_logits = len(shape) == 1 and shape[0] == num_classes
        return cls(read.source, _codec(shape, is_logits, options), is_logits=is_logits)

    def reduce(self, read: TeacherRead, output: Any) -> Tensor:
        """Return what is stored of a batch's output, (B, *shape), before the codec."""
        found = read.of(output)
        if not isinstance(found, Features):
            return found
        assert self.grid is not None
        return fit_to(found, self.grid, self.codec.shape[1]).tokens

    def restore(self, tensor: Tensor) -> Tensor | Features:
        """Return what the losses read of a stored batch (B, *shape)."""
        return tensor if self.grid is None else Features(tensor, self.grid)

    def refusal_reason(self, read: TeacherRead, options: CacheOptions) -> str:
        """Return why this is not what the losses read; '' if it is."""
        if read.source != self.source:
            return f'found the output of {self.source!r}, wanted that of {read.source!r}'
        if (self.grid is not None) != read.is_tokens:
            kinds = 'the whole output', 'patch tokens'
            return f'found {kinds[self.grid is not None]}, wanted {kinds[read.is_tokens]}'
        if self.pool != read.pool:
            named = {None: 'patch tokens', 'cls': 'the class token', 'mean': 'their mean'}
            return f'found {named[self.pool]}, wanted {named[read.pool]}'
        codec = _codec(self.codec.shape, self.is_logits, options)
        if codec != self.codec:
            has, says = (_option(x, self.is_logits) for x in (self.codec, codec))
            return (
                f'stored with {has}, this training says {says}; set it as when the cache '
                'was created, or use another folder'
            )
        if self.grid is None or self.whole is None:
            return ''
        if read.grid not in (None, self.whole[0]):
            return f'found a grid of {self.whole[0]}, wanted {read.grid}'
        stored, wanted = (self.grid, self.codec.shape[1]), self.whole
        if read.target is not None:
            wanted = read.target[0], min(read.target[1], self.whole[1])
        if stored in (self.whole, wanted):
            return ''
        found, needed = (f'{h} x {w} x {c}' for (h, w), c in (stored, wanted))
        return (
            f'found {found} (grid and width), which another student reads, wanted {needed}; '
            'a cache with {teacher_cache.full_features}=True serves both'
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return dict(
            source=self.source,
            codec=self.codec.to_dict(),
            grid=self.grid,
            whole=self.whole,
            is_logits=self.is_logits,
            pool=self.pool,
        )

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> 'StoredTensor':
        """Read it from JSON."""
        grid, whole = content['grid'], content['whole']
        return cls(
            content['source'],
            codec_from_dict(content['codec']),
            None if grid is None else (grid[0], grid[1]),
            None if whole is None else ((whole[0][0], whole[0][1]), whole[1]),
            content['is_logits'],
            content.get('pool'),  # caches of older versions have none
        )


def _option(codec: Codec, is_logits: bool) -> str:
    """Return the option that gives a codec."""
    if isinstance(codec, TopKLogits):
        return f'{{teacher_cache.top_k}}={codec.top_k}'
    if isinstance(codec, LowRankTokens):
        return f'{{teacher_cache.rank}}={codec.rank}'
    if is_logits:
        return "{teacher_cache.top_k}='all'"
    is_half = isinstance(codec, Floats) and codec.stored == 'float16'
    name = 'int8' if isinstance(codec, Int8Tokens) else 'fp16' if is_half else 'fp32'
    return f'{{teacher_cache.features}}={name!r}'


def _codec(shape: tuple[int, ...], is_logits: bool, options: CacheOptions) -> Codec:
    """Return how an output of an image is stored."""
    if is_logits:
        return _logits_codec(shape[0], options)
    if len(shape) in (1, 2):
        return _tokens_codec(shape, options)
    return Floats(shape, 'float32' if options.features == 'fp32' else 'float16')


def _tokens_codec(shape: tuple[int, ...], options: CacheOptions) -> Codec:
    if options.rank is not None:
        if len(shape) != 2 or options.rank > min(shape):
            raise KeyedValueError(
                f'{{teacher_cache.rank}}={options.rank}: found features of {shape}, wanted at '
                f'most {min(shape)}.',
                'teacher_cache.rank',
            )
        return LowRankTokens(shape, options.rank)
    if options.features == 'int8':
        return Int8Tokens(shape)
    return Floats(shape, dict(fp16='float16', fp32='float32')[options.features])


def _logits_codec(num_classes: int, options: CacheOptions) -> Codec:
    top_k = options.top_k
    if top_k in ('all', num_classes) or (top_k is None and num_classes <= DEFAULT_TOP_K):
        return Floats((num_classes,), 'float32')
    if isinstance(top_k, int) and top_k > num_classes:
        raise KeyedValueError(
            f'{{teacher_cache.top_k}}={top_k}: the teacher has {num_classes} classes; wanted '
            "no more, or 'all'.",
            'teacher_cache.top_k',
        )
    return TopKLogits(num_classes, top_k if isinstance(top_k, int) else DEFAULT_TOP_K)
