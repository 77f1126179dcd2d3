"""Draw pairs of images with a seed."""

import math
import random


def draw_pairs(num_images: int, num_pairs: int, seed: int) -> list[tuple[int, int]]:
    """Return pairs of two different images, without duplicates, in ascending order.

    Args:
        num_images: At least 2.
        num_pairs: Number of pairs; all if there are fewer.
        seed: Seed of the draw.
    """
    total = math.comb(num_images, 2)
    if num_pairs >= total:
        drawn = list(range(total))
    else:
        drawn = sorted(random.Random(seed).sample(range(total), num_pairs))
    # The pairs (i, j), i < j, counted by j: those before j are j (j - 1) / 2.
    seconds = [(1 + math.isqrt(1 + 8 * number)) // 2 for number in drawn]
    return [(n - math.comb(j, 2), j) for n, j in zip(drawn, seconds, strict=True)]
