"""How much is done at a time, and where features wait, so that the memory limit is kept."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from ...utils.bytesize import size_text
from ..features.extractor import Key
from .block_cka import ALL_PAIRS
from .second_look import NUM_PAIRS, rotation_dims
from .settings import Settings

# What is counted below is float64; measures raise features to it.
DOUBLE = 8
# Copies of a batch's tokens that a measure makes on its way, and of its Gram matrices.
TOKEN_COPIES, GRAM_COPIES = 8, 4
# D x D matrices that one block's sums or eigenvectors take while they are reckoned.
SQUARES = 6
# Numbers that all measures together keep of an image, rounded up.
NUMBERS = 64
# Random tokens of the null of SEP, and copies that are made of them.
NULL_TOKENS, NULL_COPIES = 2048, 3
# Channel orders whose spectra the permutation test holds of an image, twice.
ORDERS = 100
# Of the limit, what backward passes may take.
GRADIENT_SHARE = 0.5

MEMORY, SPILL, AGAIN, NOTHING = 'memory', 'spill', 'second forward pass', 'not needed'


class Shape(NamedTuple):
    """The features of an image at a block.

    Attributes:
        num_tokens: N.
        embed_dims: D.
        itemsize: Bytes of a number.
    """

    num_tokens: int
    embed_dims: int
    itemsize: int

    @classmethod
    def of(cls, features: Tensor) -> 'Shape':
        """That of a batch (B, N, D)."""
        return cls(features.shape[1], features.shape[2], features.element_size())

    @property
    def size(self) -> int:
        """Bytes of an image."""
        return self.num_tokens * self.embed_dims * self.itemsize


class Plan(NamedTuple):
    """What fits.

    Attributes:
        forward: Images a forward pass.
        part: Images that a measure gets at a time.
        kept: Where features wait for the second look at them.
        gradients: Bytes that a backward pass may take.
    """

    forward: int
    part: int
    kept: str
    gradients: int


def plan_memory(
    shapes: Mapping[Key, Shape], num_images: int, batch_size: int, settings: Settings
) -> Plan:
    """Divide the memory limit.

    What the measures gather is taken off first. Of what is left, a quarter goes to the
    features of a forward pass, a quarter to the work on them, and the rest to features that
    wait, if all of them find room.

    Args:
        shapes: The features of each block.
        num_images: How many images there are, or a few more.
        batch_size: Images that are read at a time.
        settings: Has the limit and the measures.

    Raises:
        ValueError: If it does not even suffice for one image at a time.
    """
    held = sum(_gathered(shape, num_images, len(shapes), settings) for shape in shapes.values())
    held += max(_reckoned(shape, num_images, settings) for shape in shapes.values())
    gradients = int(GRADIENT_SHARE * settings.memory_limit * ('gradient' in settings.measures))
    left = settings.memory_limit - held - gradients
    image = sum(shape.size for shape in shapes.values())
    work = max(_worked(shape, len(shapes), settings) for shape in shapes.values())
    forward = min(batch_size, max(1, left // 4 // image))
    part = min(forward, max(1, left // 4 // work))
    # The features of a batch are let go of when the next ones are there.
    room = left - 2 * forward * image - part * work
    if room < 0:
        raise ValueError(
            f'memory_limit: found {size_text(settings.memory_limit)}; these measures of '
            f'{len(shapes)} block{"s"[: len(shapes) != 1]} take {size_text(held + gradients)} '
            f'and {size_text(image + work)} an image. Wanted more, or fewer blocks or measures.'
        )
    if not settings.second_pass:
        kept = NOTHING
    elif num_images * image <= room:
        kept = MEMORY
    else:
        kept = AGAIN if settings.spill is None else SPILL
    return Plan(forward, part, kept, gradients)


def _gathered(shape: Shape, num_images: int, num_blocks: int, settings: Settings) -> int:
    """Bytes that the measures of a block hold over a pass; the first ones are then gone."""
    width, square = shape.embed_dims, DOUBLE * shape.embed_dims**2
    first = second = square * settings.basis
    if 'cka' in settings.measures:
        first += square * (3 if num_blocks > ALL_PAIRS else (num_blocks + 2) // 2)
    if 'permutation' in settings.measures:
        first += DOUBLE * (num_images + ORDERS) * (width + 2)
    if 'rotation' in settings.measures:
        # A pair that is waited for has one of its images here, at most.
        waiting = min(num_images, NUM_PAIRS)
        second += DOUBLE * waiting * width * rotation_dims(shape.num_tokens, width)
    return max(first, second) + DOUBLE * NUMBERS * num_images


def _reckoned(shape: Shape, num_images: int, settings: Settings) -> int:
    """Bytes that one sum or result of a block takes while it is reckoned."""
    resampled = num_images * (shape.embed_dims + 2) * ('permutation' in settings.measures)
    squares = SQUARES * shape.embed_dims**2 * (settings.basis or 'cka' in settings.measures)
    null = NULL_TOKENS * NULL_COPIES * shape.embed_dims * ('sep' in settings.measures)
    return DOUBLE * max(resampled, squares, null)


def _worked(shape: Shape, num_blocks: int, settings: Settings) -> int:
    """Bytes that the measures take on their way, an image, of one block at a time."""
    num_tokens, width = shape.num_tokens, shape.embed_dims
    together = num_blocks if 'cka' in settings.measures and num_blocks <= ALL_PAIRS else 0
    numbers = (TOKEN_COPIES + together) * num_tokens * width
    numbers += GRAM_COPIES * min(num_tokens, width) ** 2
    if 'permutation' in settings.measures:
        numbers += ORDERS * (width + 2)
    return DOUBLE * numbers
