"""Choose blocks to distil by the teacher's frequency intensity, as SpectralKD does."""

import math
from collections.abc import Sequence
from typing import NamedTuple

NUM_PAIRS = 8


class LayerChoice(NamedTuple):
    """Blocks at both ends of a student, paired with those at the ends of its teacher.

    Attributes:
        first: Number of pairs at the front.
        last: Number of pairs at the back.
        pairs: (student block, teacher block), from 0.
        captured_share: Total intensity of the chosen teacher blocks, relative to that of the
            same number of most intense blocks; 1 if those lie at the ends.
    """

    first: int
    last: int
    pairs: list[tuple[int, int]]
    captured_share: float


def choose_layers(
    intensities: Sequence[float],
    student_depth: int,
    num_pairs: int = NUM_PAIRS,
    first: int | None = None,
) -> LayerChoice:
    """Choose the blocks of a teacher and a student that are distilled.

    SpectralKD (arXiv 2412.19055) finds CaiT's frequency intensity concentrated in its first
    and last blocks, and distils the first 2 and the last 6: for a student of 12 blocks and a
    teacher of 24, s{0, 1, 6 to 11} -> t{0, 1, 18 to 23}. For Swin it distils all 4 stages.

    The intensities decide the split between front and back: of all ways to take ``num_pairs``
    teacher blocks from the two ends, the one with the largest total intensity is chosen, and
    of equal ones the one with fewest blocks at the front. Three choices are rules of thumb:
    the number of pairs, 8 as published; taking them from the ends (``captured_share`` shows
    the cost); and pairing the student's ends with the teacher's, block by block. The paper
    gives no formula for any of this; it chose ``first=2`` by eye.

    Args:
        intensities: The teacher's frequency intensity, block by block from 0.
        student_depth: Number of blocks, or stages, of the student.
        num_pairs: Number of pairs; fewer if either model has fewer blocks.
        first: Number of pairs at the front; None lets the intensities decide.

    Raises:
        ValueError: If a number is out of range, or an intensity is negative or not finite.

    Example:
        >>> choose_layers([3, 2, 1, 1, 1, 2], student_depth=3, num_pairs=2).pairs
        [(0, 0), (2, 5)]
    """
    curve = [float(intensity) for intensity in intensities]
    if not any(curve) or not all(math.isfinite(value) and value >= 0 for value in curve):
        raise ValueError(
            f'intensities: found {curve}, wanted one per block, finite and not '
            'negative, not all 0.'
        )
    if student_depth < 1 or num_pairs < 1:
        raise ValueError(
            f'student_depth={student_depth}, num_pairs={num_pairs}: wanted 1 or more.'
        )
    depth = len(curve)
    count = min(num_pairs, student_depth, depth)
    if first is not None and not 0 <= first <= count:
        raise ValueError(f'first={first}: wanted 0 to {count}, the number of pairs.')
    # For 0, 1, ... count blocks at the front; fsum is exact, so equal splits have equal sums.
    sums = [math.fsum(curve[:f] + curve[depth - count + f :]) for f in range(count + 1)]
    split = sums.index(max(sums)) if first is None else first
    last = count - split
    front = [(block, block) for block in range(split)]
    back = [(student_depth - k, depth - k) for k in range(last, 0, -1)]
    largest = math.fsum(sorted(curve)[-count:])
    return LayerChoice(split, last, front + back, sums[split] / largest)
