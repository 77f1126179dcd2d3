"""Write the 2,624 solar cells of the package elpv-dataset as a folder with two classes.

Electroluminescence pictures, 300 x 300 pixels, grey: `{train,val}/<class>/*.png`. A cell is
defective if its probability of a defect is 0.5 or more. A seeded fifth of each class is held
out. The licence of the pictures is CC-BY-NC-SA-4.0; they are not installed with mmvitkd.
"""

import argparse
import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np

NUM_CELLS = 2624
VAL_SHARE = 0.2
CLASSES = ('functional', 'defective')


def package_data() -> Path:
    """Return the folder with `labels.csv` and `images/`.

    Raises:
        ModuleNotFoundError: If the package is not installed.
    """
    found = importlib.util.find_spec('elpv_dataset')
    if found is None or found.origin is None:
        raise ModuleNotFoundError(
            'the pictures come with elpv-dataset: pip install elpv-dataset==1.0.0.post1'
        )
    return Path(found.origin).parent / 'data'


def read_labels(file: Path) -> dict[str, int]:
    """Return the class of each picture by its path in the package: 1 is defective.

    Raises:
        RuntimeError: If these are not the pictures expected.
    """
    with open(file) as lines:
        rows = [line.split() for line in lines]
    labels = {path: int(float(probability) >= 0.5) for path, probability, _ in rows}
    if len(labels) != NUM_CELLS:
        raise RuntimeError(f'{file}: found {len(labels)} pictures, wanted {NUM_CELLS}')
    return labels


def plan(labels: dict[str, int], seed: int) -> dict[str, str]:
    """Return the picture in the package by its path in the folder."""
    random = np.random.default_rng(seed)
    layout = {}
    for label, name in enumerate(CLASSES):
        paths = [path for path, found in labels.items() if found == label]
        held_out = round(VAL_SHARE * len(paths))
        for place, index in enumerate(random.permutation(len(paths))):
            split = 'val' if place < held_out else 'train'
            layout[f'{split}/{name}/{Path(paths[index]).name}'] = paths[index]
    return layout


def convert(out: Path, seed: int = 0) -> Path:
    """Write the data set to `out`, or do nothing if it exists already.

    Args:
        out: Folder to create.
        seed: Seed of the split into `train` and `val`.

    Returns:
        `out`.

    Raises:
        FileExistsError: If `out` exists and is not this data set with this seed.
        ModuleNotFoundError: If elpv-dataset is not installed.
        RuntimeError: If it has other pictures than expected.
    """
    from mmvitkd.datasets.converted_folder import write_once

    data = package_data()
    layout = plan(read_labels(data / 'labels.csv'), seed)

    def write(folder: Path) -> None:
        for name, source in layout.items():
            shutil.copyfile(data / source, folder / name)

    if write_once(out, layout, write, f'elpv with seed {seed}'):
        print(f'{out}: wrote {len(layout):,} pictures, seed {seed}')
    else:
        print(f'{out}: already there, nothing to do')
    return out


def main() -> None:
    """Read the command line and convert."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path('data/elpv'), help='folder to create')
    parser.add_argument('--seed', type=int, default=0, help='seed of the split (default: 0)')
    args = parser.parse_args()
    try:
        convert(args.out, args.seed)
    except (OSError, ModuleNotFoundError, RuntimeError) as error:
        sys.exit(f'elpv: {error}')


if __name__ == '__main__':
    main()
