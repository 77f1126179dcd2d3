"""Convert a checkpoint of BasicSR's layout to ours, or back: `convert_checkpoint.py IN OUT`."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Convert, or exit with one line that states the reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', metavar='IN', help='the checkpoint to read')
    parser.add_argument('out', metavar='OUT', type=Path, help='the file to write')
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from mmvitkd.utils.cli import exit_on_error

    from projects.mdbn.mdbn.checkpoint import convert

    with exit_on_error('convert_checkpoint', {'checkpoint': 'IN'}):
        print(f'{args.out}: wrote the layout of {convert(args.checkpoint, args.out)}')


if __name__ == '__main__':
    main()
