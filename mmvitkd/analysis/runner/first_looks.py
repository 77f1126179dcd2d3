"""What all blocks are measured by in the first pass, with what lies between them."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..features.extractor import Key
from ..functional.entropy import ValueRange
from .block_cka import BlockCKA
from .first_look import FirstLook
from .memory_plan import Shape
from .second_look import SecondLook, WholeSet
from .settings import Settings


class FirstLooks:
    """The first look at every block, CKA between them, and what the second looks need.

    Args:
        shapes: The features of an image at each block, in the order of the blocks.
        settings: Has the measures.
    """

    def __init__(self, shapes: Mapping[Key, Shape], settings: Settings) -> None:
        self._shapes, self._settings = shapes, settings
        self._looks = {key: FirstLook(settings) for key in shapes}
        self._sets = {key: WholeSet(settings) for key in shapes}
        self._cka: BlockCKA | None = None
        if 'cka' in settings.measures:
            self._cka = BlockCKA({key: shape.num_tokens for key, shape in shapes.items()})

    def update(self, features: Mapping[Key, Tensor], places: Sequence[int]) -> None:
        """Add the patch tokens (B, N, D) of images at these places among those read."""
        for key, tokens in features.items():
            self._looks[key].update(tokens)
            self._sets[key].update(tokens, places)
        if self._cka is not None:
            self._cka.update(features)

    def result(self) -> dict[Key, dict[str, Any]]:
        """The blocks' entries so far; to be called once, as it lets go of what was gathered.

        Raises:
            ValueError: If a measure has no value; names the block and the measure.
        """
        blocks = {}
        for key, shape in self._shapes.items():
            about = dict(num_tokens=shape.num_tokens, embed_dims=shape.embed_dims)
            blocks[key] = about | named_result(key, self._looks.pop(key))
        if self._cka is not None:
            for key, found in self._cka.result().items():
                blocks[key]['cka'] = found
            self._cka = None
        return blocks

    def second_looks(self, num_images: int) -> dict[Key, SecondLook]:
        """The second looks at the blocks; to be called once, likewise.

        Args:
            num_images: How many were read.
        """
        value_range = ValueRange() if 'entropy' in self._settings.measures else None
        for whole in self._sets.values():
            if value_range is not None and whole.range is not None:
                value_range.merge(whole.range)
        return {
            key: SecondLook(
                self._settings, num_images, self._sets.pop(key).basis(), value_range
            )
            for key in self._shapes
        }


def named_result(key: Key, look: FirstLook | SecondLook) -> dict[str, Any]:
    """A look's result.

    Raises:
        ValueError: If a measure has no value; names the block too.
    """
    try:
        return look.result()
    except ValueError as error:
        raise ValueError(f'block {key}: {error}') from None
