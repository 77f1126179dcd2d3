"""Choose blocks to distil by the teacher's frequency intensity, as SpectralKD does."""

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
        captured_share: Intensity of the chosen teacher blocks, as a share of that of the
            same number of most intense blocks anywhere: 1 where those are at the ends.
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

    SpectralKD (arXiv 2412.19055) sees CaiT's frequency intensity concentrated in its first
    and last blocks, and distils the first 2 and the last 6: of a student of 12 blocks and a
    teacher of 24, s{0, 1, 6 to 11} -> t{0, 1, 18 to 23}. Of Swin it distils all 4 stages.

    The curve decides the split between front and back: of all ways to take ``num_pairs``
    teacher blocks from the two ends, the one whose intensities have the largest sum; of equal
    ones, that with fewest at the front. Three choices are rules of thumb: their number, 8 as
    published; that they lie at the ends (``captured_share`` says what that costs); and that
    the student's ends are paired with the teacher's, block by block. The paper gives no
    formula for any of this; it chose ``first=2`` by eye.

    Args:
        intensities: The teacher's frequency intensity, block by block from 0.
        student_depth: Number of blocks, or stages, of the student.
        num_pairs: How many pairs; fewer where either model has fewer blocks.
        first: How many of them at the front; None lets the curve decide.

    Raises:
        ValueError: If a number is out of range, or an intensity is negative or not finite.
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
    # Of front blocks 0, 1, ... count; exact sums, so that equal ones are.
    sums = [math.fsum(curve[:f] + curve[depth - count + f :]) for f in range(count + 1)]
    split = sums.index(max(sums)) if first is None else first
    last = count - split
    front = [(block, block) for block in range(split)]
    back = [(student_depth - k, depth - k) for k in range(last, 0, -1)]
    most = math.fsum(sorted(curve)[-count:])
    return LayerChoice(split, last, front + back, sums[split] / most)
