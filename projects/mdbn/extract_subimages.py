"""Cut large images into sub-images, with their small versions: `extract_subimages.py IN OUT`.

Writes OUT/HR and, for each scale, OUT/LRx2 and so on, as configs/x2.py and its siblings read
them.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Extract, or exit with one line that states the reason."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('folder', metavar='IN', help='folder of large images')
    parser.add_argument('out', metavar='OUT', type=Path, help='folder to create')
    parser.add_argument(
        '--scales', type=int, nargs='+', default=[2, 3, 4], help='default: 2 3 4'
    )
    parser.add_argument('--size', type=int, default=480, help='pixels (default: 480)')
    parser.add_argument(
        '--step', type=int, default=240, help='pixels from one to the next (default: 240)'
    )
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from mmvitkd.utils.cli import exit_on_error

    from projects.mdbn.mdbn.subimages import extract_subimages

    options = {'folder': 'IN', 'scale': '--scales', 'size': '--size', 'step': '--step'}
    with exit_on_error('extract_subimages', options):
        count = extract_subimages(args.folder, args.out, args.scales, args.size, args.step)
        print(f'{args.out}: wrote {count:,} sub-images, and as many for each scale')


if __name__ == '__main__':
    main()
