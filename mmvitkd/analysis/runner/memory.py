"""Divide the memory limit among forward passes, updates of measures and kept features."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...utils.bytesize import size_text
from ...utils.errors import KeyedValueError
from ..features.extractor import Key
from ..measures.base import ALL_FEATURES, GRADIENTS, PAIRS, Measure
from ..measures.block import Block

# The share of the limit that backward passes may take.
GRADIENT_SHARE = 0.5
# Where features are kept for the second pass.
MEMORY, SPILL, RECOMPUTE, NOT_NEEDED = 'memory', 'spill', 'second forward pass', 'not needed'


class Plan(NamedTuple):
    """The sizes of passes that fit in the memory limit.

    Attributes:
        forward_size: Images per forward pass.
        update_size: Images per update of a measure.
        kept: Where features are kept for the second pass.
        gradient_bytes: Bytes that a backward pass may take.
    """

    forward_size: int
    update_size: int
    kept: str
    gradient_bytes: int


def has_second_pass(measures: Sequence[type[Measure]]) -> bool:
    """Return whether a measure needs all features before it measures any."""
    return any(measure.needs in (ALL_FEATURES, PAIRS) for measure in measures)


def plan_memory(
    blocks: Mapping[Key, Block],
    measures: Sequence[type[Measure]],
    batch_size: int,
) -> Plan:
    """Divide the memory limit by the bytes that the measures declare.

    Their state comes first. Of the rest, a quarter goes to the features of a forward pass, a
    quarter to updates, and the remainder to kept features, if all of them fit.

    Args:
        blocks: The blocks to measure.
        measures: The measures.
        batch_size: Images per batch that is read.

    Raises:
        KeyedValueError: If one image at a time does not fit; its key is 'memory_limit'.
    """
    first = next(iter(blocks.values()))
    limit, num_images, count = first.settings.memory_limit, first.num_images, len(blocks)
    held = sum(m.state_bytes(block, count) for block in blocks.values() for m in measures)
    held += max(m.result_bytes(block) for block in blocks.values() for m in measures)
    work = max(m.workspace_bytes(block, count) for block in blocks.values() for m in measures)
    needs_gradients = any(measure.needs == GRADIENTS for measure in measures)
    gradients = int(GRADIENT_SHARE * limit * needs_gradients)
    image = sum(block.image_bytes for block in blocks.values())
    left = limit - held - gradients
    forward_size = min(batch_size, max(1, left // 4 // image))
    update_size = min(forward_size, max(1, left // 4 // work))
    # The features of a batch are freed when the next ones are there.
    room = left - 2 * forward_size * image - update_size * work
    if room < 0:
        raise KeyedValueError(
            f'{{memory_limit}}: found {size_text(limit)}; these measures of {count} '
            f'block{"s"[: count != 1]} take {size_text(held + gradients)} and '
            f'{size_text(image + work)} per image. Wanted more, or fewer blocks or measures.',
            'memory_limit',
        )
    if not has_second_pass(measures):
        kept = NOT_NEEDED
    elif num_images * image <= room:
        kept = MEMORY
    else:
        kept = RECOMPUTE if first.settings.spill is None else SPILL
    return Plan(forward_size, update_size, kept, gradients)
