"""Cut a folder of large images into overlapping sub-images, which load faster."""

import os.path as osp
from collections.abc import Sequence
from pathlib import Path

from mmvitkd.utils.atomic_dir import atomic_dir
from mmvitkd.utils.errors import KeyedValueError

import numpy as np
from PIL import Image

from .image_names import image_names
from .network import check_scale
from .patches import shrink_to_8_bit
from .read_rgb import read_rgb

MULTIPLE = 12  # of the scales 2, 3 and 4


def extract_subimages(
    folder: str, out: Path, scales: Sequence[int], size: int = 480, step: int = 240
) -> int:
    """Write `out/HR` with sub-images, and `out/LRx2` and so on with their small versions.

    These are cut from the small version of the whole image, so that they have no borders of
    their own. The sub-images of `a/b.png` are `a/b_s001.png` and so on.

    Args:
        folder: The large images. Up to 11 rows and columns at the ends are left out, so that
            sides are multiples of 12.
        out: The folder to create.
        scales: The scales of the small versions.
        size: The side of a sub-image; images with a smaller side give smaller ones.
        step: How far the next one is away. The last one of a row or column ends with it.

    Returns:
        How many sub-images there are of each kind.

    Raises:
        FileExistsError: If ``out`` exists.
        FileNotFoundError: If there is no such folder.
        ValueError: If there is no image in the folder, one cannot be read or is smaller than
            12 pixels, two differ in their suffix only, or the size or the step is no
            multiple of 12 above 0.
    """
    for scale in scales:
        check_scale(scale)
    for key, value in dict(size=size, step=step).items():
        if value < MULTIPLE or value % MULTIPLE:
            raise KeyedValueError(f'{{{key}}}={value}: wanted a multiple of {MULTIPLE}.', key)
    names = image_names(folder, 'folder')
    _check_stems(names, folder)

    def check_absent() -> None:
        if out.exists():
            raise FileExistsError(f'{out} exists: remove it, or choose another folder.')

    count = 0
    with atomic_dir(out, check_absent, durable=False) as new:
        for name in names:
            image = read_rgb(osp.join(folder, name))
            height, width = (side - side % MULTIPLE for side in image.shape[:2])
            if not (height and width):
                raise KeyedValueError(
                    f'{{folder}}={folder!r}: {name!r} has {image.shape[0]} x '
                    f'{image.shape[1]} pixels; wanted at least {MULTIPLE} on each side.',
                    'folder',
                )
            image = image[:height, :width]
            stem = osp.splitext(name)[0]
            count += _write(image, new / 'HR' / stem, size, step)
            for scale in scales:
                small = shrink_to_8_bit(image, scale)
                _write(small, new / f'LRx{scale}' / stem, size // scale, step // scale)
    return count


def _check_stems(names: Sequence[str], folder: str) -> None:
    first: dict[str, str] = {}
    for name in names:
        stem = osp.splitext(name)[0]
        if (other := first.setdefault(stem, name)) != name:
            raise KeyedValueError(
                f'{{folder}}={folder!r}: the sub-images of {other!r} and {name!r} would both '
                f'be {stem}_s001.png and so on; rename one of the two.',
                'folder',
            )


def _write(image: np.ndarray, stem: Path, size: int, step: int) -> int:
    stem.parent.mkdir(parents=True, exist_ok=True)
    tops, lefts = (starts(side, size, step) for side in image.shape[:2])
    corners = [(top, left) for top in tops for left in lefts]
    for number, (top, left) in enumerate(corners, 1):
        patch = image[top : top + size, left : left + size]
        Image.fromarray(patch).save(f'{stem}_s{number:03d}.png')
    return len(corners)


def starts(length: int, size: int, step: int) -> list[int]:
    """Return where the sub-images of a side begin; the last one ends with the side."""
    last = max(0, length - size)
    return [*range(0, last, step), last]
