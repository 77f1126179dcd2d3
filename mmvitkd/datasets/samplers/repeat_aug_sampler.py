"""Repeat each image within an epoch, with a choice of the epoch's length."""

from collections.abc import Sized
from logging import WARNING

from mmengine.logging import print_log
from mmpretrain.datasets import RepeatAugSampler as _RepeatAugSampler

from ...registry import DATA_SAMPLERS

LENGTHS = ('full', 'deit')
# DeiT's code rounds an epoch down to a multiple of this before it divides by the ranks.
MULTIPLE = 256


@DATA_SAMPLERS.register_module()
class RepeatAugSampler(_RepeatAugSampler):  # type: ignore[misc]  # MMPretrain is untyped
    """MMPretrain's ``RepeatAugSampler`` with a choice of the epoch's length.

    The shuffled indices of N images, each ``num_repeats`` times in a row, are padded to a
    multiple of the W ranks; rank r takes positions r, r + W, ... and stops at the epoch's
    length. So ranks share images but no position: with W >= ``num_repeats`` the copies of an
    image are on different ranks, and an epoch sees about N / ``num_repeats`` images. The order
    depends only on seed + epoch, and is the same for both lengths (DeiT, arXiv 2012.12877; used
    by arXiv 2511.15572 and 2511.06848).

    Args:
        dataset: The data set.
        shuffle: Whether to shuffle; otherwise every epoch sees the same first images.
        num_repeats: How often each image is repeated.
        seed: The seed of the shuffling; None draws one and shares it among the ranks.
        length: The images of an epoch on one rank: ``'full'``, ceil(N / W), as in
            MMPretrain, or ``'deit'``, floor(N // 256 * 256 / W), as in DeiT's code and the
            papers' (320,292 and 320,256 on ImageNet-1K over 4 ranks).

    Raises:
        ValueError: If ``length`` is neither, or an epoch would be empty.
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        num_repeats: int = 3,
        seed: int | None = None,
        length: str = 'full',
    ) -> None:
        super().__init__(dataset, shuffle, num_repeats, seed)
        self.length = length
        if length == 'released':  # until the next release
            print_log("sampler.length='released' is now called 'deit'.", 'current', WARNING)
            length = 'deit'
        if length not in LENGTHS:
            raise ValueError(
                f'sampler.length={length!r}: wanted one of {", ".join(map(repr, LENGTHS))}.'
            )
        if length == 'deit':
            self.num_selected_samples = len(dataset) // MULTIPLE * MULTIPLE // self.world_size
        if not self.num_selected_samples:
            raise ValueError(
                f'sampler.length={length!r}: an epoch of {len(dataset)} images over '
                f"{self.world_size} ranks is empty; 'deit' needs at least {MULTIPLE} images, "
                'and at most as many ranks.'
            )
