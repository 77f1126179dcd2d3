"""Define the input of measures: the blocks of a model, and batches of their features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from torch import Tensor

from ..features.extractor import Key
from .settings import Settings

DOUBLE = 8  # bytes of a float64, in which measures compute
T = TypeVar('T')
K = TypeVar('K', bound=Key)


@dataclass(eq=False)
class Batch:
    """The features of a few images at one block.

    Attributes:
        tokens: Patch tokens (B, N, D) in the model's dtype; or gradients of its score.
        places: The positions of the images among all measured ones, (B,).
        score: The score that gradients are of: 'labels' or 'predictions'.
    """

    tokens: Tensor
    places: Sequence[int]
    score: str = ''
    _found: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)

    @cached_property
    def double(self) -> Tensor:
        """The tokens in float64, converted once for all measures."""
        return self.tokens.double()

    def once(self, function: Callable[[Tensor], T]) -> T:
        """Apply a function to ``double``, once for all measures that use it."""
        if function not in self._found:
            self._found[function] = function(self.double)
        found: T = self._found[function]
        return found

    def forget(self) -> None:
        """Free the results computed from the tokens."""
        self._found.clear()
        self.__dict__.pop('double', None)


@dataclass(eq=False)
class Block:
    """A block of a model, as its measures see it.

    Attributes:
        key: Its key in the report.
        num_tokens: N.
        embed_dims: D.
        itemsize: Bytes of a number in its features.
        num_images: The maximum number of images.
        settings: The settings of the analysis.
    """

    key: Key
    num_tokens: int
    embed_dims: int
    itemsize: int
    num_images: int
    settings: Settings
    _shared: dict[type, Any] = field(default_factory=dict, repr=False)
    _shared_by_all: dict[type, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def all_of(
        cls, features: Mapping[K, Tensor], num_images: int, settings: Settings
    ) -> 'dict[K, Block]':
        """Describe all blocks of a model, from the features (B, N, D) of one batch."""
        common: dict[type, Any] = {}
        return {
            key: cls(
                *(key, f.shape[1], f.shape[2], f.element_size(), num_images, settings),
                _shared_by_all=common,
            )
            for key, f in features.items()
        }

    def shared(self, kind: type[T], *args: Any, across_blocks: bool = False) -> T:
        """Return the instance of a class that all measures share, ``kind(*args)``.

        Args:
            kind: The class.
            *args: Arguments of its constructor, which the first call runs.
            across_blocks: Whether all blocks share it too.
        """
        instances = self._shared_by_all if across_blocks else self._shared
        if kind not in instances:
            instances[kind] = kind(*args)
        found: T = instances[kind]
        return found

    @property
    def image_bytes(self) -> int:
        """Bytes of the features of an image."""
        return self.num_tokens * self.embed_dims * self.itemsize

    @property
    def double_bytes(self) -> int:
        """Bytes of the features of an image in float64."""
        return self.num_tokens * self.embed_dims * DOUBLE

    @property
    def gram_bytes(self) -> int:
        """Bytes of the smaller Gram matrix of an image's tokens in float64."""
        return min(self.num_tokens, self.embed_dims) ** 2 * DOUBLE

    @property
    def square_bytes(self) -> int:
        """Bytes of a D x D matrix in float64."""
        return self.embed_dims**2 * DOUBLE
