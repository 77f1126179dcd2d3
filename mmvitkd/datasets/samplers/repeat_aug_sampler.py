"""Repeated augmentation, with the length of an epoch that the papers' code gives it."""

from collections.abc import Sized

from mmpretrain.datasets import RepeatAugSampler as _RepeatAugSampler

from ...registry import DATA_SAMPLERS

LENGTHS = ('full', 'released')
# The released code counts an epoch in whole multiples of this, before it divides by the ranks.
ROUND = 256


@DATA_SAMPLERS.register_module()
class RepeatAugSampler(_RepeatAugSampler):
    """MMPretrain's ``RepeatAugSampler`` with a choice of the epoch's length.

    The shuffled indices of N images, each ``num_repeats`` times in a row, are padded to a
    multiple of the W ranks; rank r takes positions r, r + W, ... and stops at the epoch's
    length. So ranks share no position, but they share images: with W >= ``num_repeats``
    the copies of an image lie on different ranks, and an epoch sees about
    N / ``num_repeats`` images. The order depends on seed + epoch alone, and is the same for
    both lengths (DeiT, arXiv 2012.12877; used by arXiv 2511.15572 and 2511.06848).

    Args:
        dataset: The data set.
        shuffle: Whether to shuffle; otherwise every epoch sees the same first images.
        num_repeats: How often each image stands in a row.
        seed: Of the shuffling; None draws one and shares it among the ranks.
        length: How many images a rank sees in an epoch: ``'full'``, ceil(N / W), as in
            MMPretrain, or ``'released'``, floor(N // 256 * 256 / W), as in DeiT's code and
            what was published with it (320,292 and 320,256 on ImageNet-1K over 4 ranks).

    Raises:
        ValueError: If ``length`` is neither, or no image is left of an epoch.
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
        if length not in LENGTHS:
            raise ValueError(
                f'sampler.length={length!r}: wanted one of {", ".join(map(repr, LENGTHS))}.'
            )
        if length == 'released':
            self.num_selected_samples = len(dataset) // ROUND * ROUND // self.world_size
        if not self.num_selected_samples:
            raise ValueError(
                f'sampler.length={length!r}: no image is left of an epoch of {len(dataset)} '
                f"images over {self.world_size} ranks; 'released' needs {ROUND} images, and "
                'no more ranks than that.'
            )
