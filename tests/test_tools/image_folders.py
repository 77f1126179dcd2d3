"""Small folders of images in ImageNet layout."""

import numpy as np
from PIL import Image


def write_folder(root, num_classes, train, val, size, suffix, filled=None):
    """Write `train`/`val` images of noise into the first `filled` of the class folders."""
    generator = np.random.default_rng(0)
    for split, count in (('train', train), ('val', val)):
        for label in range(num_classes):
            folder = root / split / f'{label:04d}'
            folder.mkdir(parents=True)
            if filled is None or label < filled:
                for i in range(count):
                    pixels = generator.integers(0, 256, size, dtype=np.uint8)
                    Image.fromarray(pixels).save(folder / f'{i}.{suffix}')
    return root
