"""Compare the two branches: `analyze_branches.py CHECKPOINT FOLDER [--out DIR]`.

Prints and writes the share of high spatial frequencies in the feature maps of each branch, and
draws the maps and their Fourier spectra. The same network with random weights, and a flat
spectrum, show what is due to the training.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from projects.mdbn.mdbn import PairedImages

ROOT = Path(__file__).resolve().parents[2]
NOTE = (
    'The share of energy above {frequency:g} cycles per pixel, without the mean of each map: '
    'mean over {images} images. A flat spectrum has {flat:.3f} there, the images themselves '
    '{above:.3f}.'
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('checkpoint', help='of our training, or of the released layout')
    parser.add_argument('folder', help='large images; the network gets their small versions')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/mdbn_branches'))
    parser.add_argument('--ema', action='store_true', help='take the EMA weights')
    parser.add_argument(
        '--frequency',
        type=float,
        default=0.25,
        help='what counts as high, in cycles per pixel of the small image (default: 0.25)',
    )
    return parser.parse_args()


def analyze(args: argparse.Namespace) -> None:
    """Measure, print, write and draw."""
    from mmvitkd.utils.atomic_file import atomic_file
    from mmvitkd.utils.plotting import save
    from mmvitkd.utils.tables import screen_table

    import torch

    from projects.mdbn.mdbn import MDBN, PairedImages, load_network
    from projects.mdbn.mdbn.branch_figure import draw_branches
    from projects.mdbn.mdbn.branch_spectra import base_blocks, measure

    trained = load_network(args.checkpoint, args.ema)
    blocks = base_blocks(trained)
    torch.manual_seed(0)
    untrained = MDBN(trained.scale, len(trained.conv_first.weight), len(blocks) // 2)
    dataset = PairedImages(args.folder, trained.scale)
    result, maps = measure(trained, _images(dataset), args.frequency)
    null, _ = measure(untrained, _images(dataset), args.frequency)

    header = [
        'block',
        *(f'{b}{x}' for b in ('deep', 'shallow') for x in ('', ', untrained')),
    ]
    table = screen_table(header, _rows(result, null))
    note = NOTE.format(**result, above=result['input']['above'])
    Console().print(table, '', note, sep='\n', highlight=False)
    with atomic_file(args.out / 'branches.json') as file:
        file.write_text(json.dumps(dict(trained=result, untrained=null), indent=1) + '\n')
    save(draw_branches(result, null, maps), args.out / 'branches.png')
    print(f'{args.out}: wrote branches.json and branches.png')


def _images(dataset: 'PairedImages') -> 'Iterator[Tensor]':
    """Load the small images one by one, as all of them may not fit in memory."""
    for index in range(len(dataset)):
        yield dataset[index]['inputs'][None].float() / 255


def _rows(result: dict[str, Any], null: dict[str, Any]) -> list[list[str]]:
    rows = []
    for number, (name, block) in enumerate(result['blocks'].items(), 1):
        row = [str(number)]
        for branch, entry in block.items():
            row.append(f'{entry["above"]:.3f} ± {entry["std"]:.3f}')
            row.append(f'{null["blocks"][name][branch]["above"]:.3f}')
        rows.append(row)
    return rows


def main() -> None:
    """Analyze, or exit with one line that states the reason."""
    args = parse_args()
    sys.path.insert(0, str(ROOT))
    from mmvitkd.utils.cli import exit_on_error

    options = {'frequency': '--frequency', 'hr_folder': 'FOLDER', 'checkpoint': 'CHECKPOINT'}
    with exit_on_error('analyze_branches', options):
        analyze(args)


if __name__ == '__main__':
    main()
