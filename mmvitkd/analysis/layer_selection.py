"""Which blocks to distil, from the teacher's frequency intensity, as SpectralKD chooses."""

import math
from collections.abc import Sequence
from typing import NamedTuple

NUM_PAIRS = 8


class LayerChoice(NamedTuple):
    """Blocks at both ends of a student, paired with those at the ends of its teacher.

    Attributes:
        first: How many at the front.
        last: How many at the back.
        pairs: (student block, teacher block), from 0.
        held: Intensity of the chosen teacher blocks, as a share of what the most intense
            blocks, as many, hold wherever they lie: 1 where the ends are the most intense.
    """

    first: int
    last: int
    pairs: list[tuple[int, int]]
    held: float


def choose_layers(
    intensities: Sequence[float],
    student_depth: int,
    num_pairs: int = NUM_PAIRS,
    first: int | None = None,
) -> LayerChoice:
    """Choose the blocks of a teacher and a student that are distilled.

    SpectralKD (arXiv 2412.19055) sees CaiT's frequency intensity concentrated in its first
    and last blocks, and distils the first 2 and the last 6: of a student of 12 blocks and a
    teacher of 24, s{0, 1, 6 to 11} -> t{0, 1, 18 to 23}. Of Swin it distils all 4 stages.

    From the curve comes the split between front and back: of all ways to take ``num_pairs``
    teacher blocks from the two ends, the one whose intensities have the largest sum; of equal
    ones, that with fewest at the front. A rule of thumb are their number, 8 as published,
    that they lie at the ends (``held`` says what that costs), and that the student's ends
    take after the teacher's, block by block. The paper gives no formula for any of it. What
    it chose by eye is ``first=2``.

    Args:
        intensities: The teacher's frequency intensity, block by block from 0.
        student_depth: Blocks, or stages, of the student.
        num_pairs: How many pairs; fewer where either model has fewer blocks.
        first: How many of them at the front, whatever the curve says; None to go by it.

    Raises:
        ValueError: If a number is out of range, or an intensity is negative or not finite.
    """
    curve = [float(intensity) for intensity in intensities]
    if not any(curve) or not all(math.isfinite(value) and value >= 0 for value in curve):
        raise ValueError(
            f'intensities: found {curve}, wanted those of one block or more, finite and not '
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
    # Of front blocks 0, 1, ... count; exact sums, so that equal ones are.
    sums = [math.fsum(curve[:f] + curve[depth - count + f :]) for f in range(count + 1)]
    split = sums.index(max(sums)) if first is None else first
    last = count - split
    front = [(block, block) for block in range(split)]
    back = [(student_depth - k, depth - k) for k in range(last, 0, -1)]
    most = math.fsum(sorted(curve)[-count:])
    return LayerChoice(split, last, front + back, sums[split] / most)
